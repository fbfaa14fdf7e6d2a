"""One input shard → one candidate shard: the unit of work. A pure function of shard and settings that commits last."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import msgspec
import pyarrow as pa

from labelgen import candidates, labelers, sources
from labelgen.candidates import CandidateShard, Report
from labelgen.distill.gather import AllAtOnce
from labelgen.gather import Gathered, Gatherer, OneByOne
from labelgen.labelers import Caption, FromTable, Tools
from labelgen.normalize import normalize
from labelgen.nouns import CHUNKS, TEXTS_PER_ZONE
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Found, InputShard, Leftover, Problem, Sample, SourceDamageError
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
        return AllAtOnce(self._labeler.distilled) if isinstance(self._labeler, FromTable) else OneByOne(self._labeler)

    def _label(self, samples: list[Sample], rows: "_Rows", gatherer: Gatherer, seconds: Seconds) -> None:
        start = time.perf_counter()
        cleaned = [[normalize(caption) for caption in sample.captions] for sample in samples]
        captions = [
            [Caption(raw, text) for raw, (text, _) in zip(sample.captions, clean, strict=True) if text]
            for sample, clean in zip(samples, cleaned, strict=True)
        ]
        parse_start = time.perf_counter()
        seconds.normalize += parse_start - start
        parsed = gatherer.parse([caption for of_sample in captions for caption in of_sample])
        parse_end = time.perf_counter()
        seconds.parse += parse_end - parse_start
        gatherer.add(parsed, captions)
        for sample, clean in zip(samples, cleaned, strict=True):
            rows.add(sample, clean)
        seconds.label += time.perf_counter() - parse_end


@dataclass(kw_only=True)
class _Rows:
    """A candidate shard while it grows."""

    keep_captions: bool
    keys: list[str] = field(default_factory=list)
    images: list[dict[str, int] | None] = field(default_factory=list)
    image_files: dict[ImageFile, int] = field(default_factory=dict)
    captions: list[list[str]] = field(default_factory=list)
    num_captions: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    damage: str | None = None

    def add(self, sample: Sample, cleaned: list[tuple[str, bool]]) -> None:
        kept = [text for text, _ in cleaned if text]
        problems = set(sample.problems)
        if len(kept) < len(cleaned):
            problems.add(Problem.EMPTY_CAPTION)
        if any([cut for _, cut in cleaned]):  # noqa: C419  (a generator takes twice as long)
            problems.add(Problem.CAPTION_CUT)
        if problems:
            self.problems.update(problem.value for problem in problems)
        self.keys.append(sample.key)
        self.images.append(None)
        if sample.image is not None:
            file = self.image_files.setdefault(sample.image.file, len(self.image_files))
            self.images[-1] = {"file": file, "offset": sample.image.offset, "size": sample.image.size}
        self.num_captions += len(kept)
        if self.keep_captions:
            self.captions.append(kept)

    def finish(self, gathered: Gathered, print_of_shard: str, slow: str | None) -> CandidateShard:
        """All of it, with the entries of its captions."""
        if gathered.num_without_noun:
            self.problems[Problem.NO_NOUN.value] += gathered.num_without_noun
        return CandidateShard(
            keys=pa.array(self.keys, pa.string()),
            mentions=gathered.mentions,
            images=pa.array(self.images, schema.IMAGE),
            captions=pa.array(self.captions, pa.list_(pa.string())) if self.keep_captions else None,
            terms=gathered.terms,
            report=Report(
                fingerprint=print_of_shard,
                samples=len(self.keys),
                captions=self.num_captions,
                images=sum(image is not None for image in self.images),
                problems=dict(sorted(self.problems.items())),
                damage=self.damage,
                slow=slow,
                image_files=tuple(self.image_files),
            ),
        )


def _take(samples: Iterator[Sample], num_captions: int) -> list[Sample]:
    """The next samples that have `num_captions` captions together (or the rest)."""
    taken: list[Sample] = []
    count = 0
    for sample in samples:
        taken.append(sample)
        count += max(1, len(sample.captions))
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
