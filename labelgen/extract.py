"""One input shard → one candidate shard: the unit of work. A pure function of shard and settings that commits last."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import compress

import msgspec
import numpy as np
import pyarrow as pa

from labelgen import candidates, labelers, sources
from labelgen.arrays import ragged
from labelgen.candidates import CandidateShard, Report
from labelgen.labelers import Tools
from labelgen.mentions.atonce import AllAtOnce
from labelgen.mentions.gather import Gathered, Gatherer, OneByOne
from labelgen.mentions.reader import Captions
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import CHUNKS, TEXTS_PER_ZONE
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Found, Image, InputShard, Leftover, Problem, Sample, SourceDamageError
from labelshards import schema, storage
from labelshards.images import ImageFile


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what extraction yields. A change of any of it needs the captions to be parsed again.

    terms: digest of the terms that were added to WordNet's. tools: what reads a caption, with versions. nouns: where
    noun chunks come from (nouns.NOUNS). table: with DISTILLED, digest of the table that was learnt; "" before that.
    """

    rules: int
    labeler: str
    fields: Fields
    keep_captions: bool
    terms: str
    tools: dict[str, dict[str, str]]
    nouns: str = CHUNKS
    table: str = ""


@dataclass(kw_only=True)
class Seconds:
    """Where one shard's time went."""

    read: float = 0.0
    normalize: float = 0.0
    parse: float = 0.0
    label: float = 0.0
    write: float = 0.0

    def by_stage(self) -> dict[str, float]:
        """Stage → seconds, in the order of the work."""
        return asdict(self)

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(**{name: spent + getattr(other, name) for name, spent in self.by_stage().items()})


def fingerprint(shard: InputShard, settings: Settings) -> str:
    """What a finished candidate shard must carry to be taken as this shard's under these settings."""
    what = [shard.uri, shard.identity, shard.beside, shard.first_row, shard.num_rows, shard.offset, shard.size]
    return storage.digest(msgspec.json.encode([settings, *what]))


class Extractor:
    """A labeler, loaded once per process, and the settings that it serves."""

    def __init__(self, *, settings: Settings, tools: Tools, folder: str) -> None:
        self._settings = settings
        self._labeler = labelers.KINDS[settings.labeler].make(tools)
        self._folder = folder

    def extract(self, shard: InputShard) -> tuple[Report, Seconds]:
        """Read, parse, label and commit one shard. Raises SourceError if it cannot be read at all."""
        seconds = Seconds()
        print_of_shard = fingerprint(shard, self._settings)
        found = self.collect(sources.read(shard, self._settings.fields), print_of_shard, seconds)
        start = time.perf_counter()
        candidates.write(self._folder, shard.name, found)
        seconds.write += time.perf_counter() - start
        return found.report, seconds

    def collect(self, found: Found, print_of_shard: str, seconds: Seconds) -> CandidateShard:
        """The candidates of the samples that a source yields, up to where it breaks off."""
        rows = _Rows(keep_captions=self._settings.keep_captions)
        samples = _until_damage(found, rows)
        gatherer = self._gatherer()
        while True:
            start = time.perf_counter()
            batch = _take(samples, TEXTS_PER_ZONE)
            seconds.read += time.perf_counter() - start
            if not batch:
                break
            self._label(batch, rows, gatherer, seconds)
        start = time.perf_counter()
        shard = rows.finish(gatherer.finish(), print_of_shard, self._labeler.slow)
        seconds.label += time.perf_counter() - start
        return shard

    def _gatherer(self) -> Gatherer:
        reader = self._labeler.reader
        return OneByOne(self._labeler) if reader is None else AllAtOnce(reader)

    def _label(self, samples: list[Sample], rows: "_Rows", gatherer: Gatherer, seconds: Seconds) -> None:
        start = time.perf_counter()
        captions, counts = rows.add(samples)
        parse_start = time.perf_counter()
        seconds.normalize += parse_start - start
        parsed = gatherer.parse(captions)
        parse_end = time.perf_counter()
        seconds.parse += parse_end - parse_start
        gatherer.add(parsed, captions.texts, counts)
        seconds.label += time.perf_counter() - parse_end


@dataclass(kw_only=True)
class _Rows:
    """A candidate shard while it grows."""

    keep_captions: bool
    keys: list[str] = field(default_factory=list)
    images: list[Image | None] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # of each sample's captions
    problems: Counter[str] = field(default_factory=Counter)
    damage: str | None = None

    def add(self, samples: Sequence[Sample]) -> tuple[Captions, list[int]]:
        """The captions of the next samples that have a text, and how many of them each sample has."""
        raw = [caption for sample in samples for caption in sample.captions]
        counts = [len(sample.captions) for sample in samples]
        texts = []
        # A set: for one reason a sample counts once, however many of its captions have it.
        problems = {(row, problem) for row, sample in enumerate(samples) for problem in sample.problems}
        flaws = []
        for at, (text, cut) in enumerate(map(normalize, raw)):
            texts.append(text)
            if cut:
                flaws.append((at, Problem.CAPTION_CUT))
            if not text:
                flaws.append((at, Problem.EMPTY_CAPTION))
        if flaws:  # few batches have any; the others need no sifting
            rows = np.repeat(np.arange(len(samples)), counts).tolist()
            problems.update((rows[at], problem) for at, problem in flaws)
            counts = np.bincount(list(compress(rows, texts)), minlength=len(samples)).tolist()
            raw, texts = list(compress(raw, texts)), list(filter(None, texts))
        self.problems.update(problem.value for _, problem in problems)
        self.keys += [sample.key for sample in samples]
        self.images += [sample.image for sample in samples]
        self.counts += counts
        if self.keep_captions:
            self.captions += texts
        return Captions(raw, texts), counts

    def finish(self, gathered: Gathered, print_of_shard: str, slow: str | None) -> CandidateShard:
        """All of it, with the entries of its captions."""
        if gathered.num_without_noun:
            self.problems[Problem.NO_NOUN.value] += gathered.num_without_noun
        images, files = _images(self.images)
        captions = None
        if self.keep_captions:
            offsets = pa.array(ragged.offsets(np.array(self.counts, np.int64)), pa.int32())
            captions = pa.ListArray.from_arrays(offsets, pa.array(self.captions, pa.string()))
        return CandidateShard(
            keys=pa.array(self.keys, pa.string()),
            mentions=gathered.mentions,
            images=images,
            captions=captions,
            terms=gathered.terms,
            report=Report(
                fingerprint=print_of_shard,
                samples=len(self.keys),
                captions=sum(self.counts),
                images=len(images) - images.null_count,
                problems=dict(sorted(self.problems.items())),
                damage=self.damage,
                slow=slow,
                image_files=files,
            ),
        )


def _images(images: Sequence[Image | None]) -> tuple[pa.StructArray, tuple[ImageFile, ...]]:
    """(schema.IMAGE [N], the files that it numbers)."""
    files: dict[ImageFile, int] = {}
    # Of none zeros, which the mask hides.
    places = [
        (0, 0, 0) if image is None else (files.setdefault(image.file, len(files)), image.offset, image.size)
        for image in images
    ]
    columns = zip(*places, strict=True) if places else ((), (), ())
    typed = [pa.array(column, kind.type) for column, kind in zip(columns, schema.IMAGE, strict=True)]
    missing = pa.array([image is None for image in images], pa.bool_())
    return pa.StructArray.from_arrays(typed, fields=list(schema.IMAGE), mask=missing), tuple(files)


def _take(samples: Iterator[Sample], num_captions: int) -> list[Sample]:
    """The next samples that have `num_captions` captions together (or the rest)."""
    taken: list[Sample] = []
    count = 0
    for sample in samples:
        taken.append(sample)
        count += max(1, len(sample.captions))  # samples without captions take room, too
        if count >= num_captions:
            break
    return taken


def _until_damage(found: Found, rows: _Rows) -> Iterator[Sample]:
    """The samples up to where the source breaks off; how it broke, and captions of no sample, are noted in `rows`."""
    try:
        for item in found:
            if isinstance(item, Leftover):
                rows.problems[item.problem.value] += item.count
            else:
                yield item
    except SourceDamageError as error:
        rows.damage = str(error)
