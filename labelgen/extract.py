"""One input shard → one candidate shard: the unit of work. A pure function of shard and settings that commits last."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import msgspec
import pyarrow as pa

from labelgen import candidates, labelers, sources, stoplist
from labelgen.candidates import CandidateShard, Report
from labelgen.lexicon import Lexicon
from labelgen.normalize import normalize
from labelgen.nouns import TEXTS_PER_ZONE, ChunkParser
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Found, InputShard, Leftover, Problem, Sample, SourceDamageError
from labelshards import schema, storage
from labelshards.images import ImageFile

_CAPTIONS_PER_TERM = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what extraction yields. A change of any of it needs the captions to be parsed again."""

    rules: int
    labeler: str
    fields: Fields
    stoplist: bool
    keep_captions: bool
    spacy: dict[str, str]
    wordnet: dict[str, str]


@dataclass(kw_only=True)
class Seconds:
    """Where one shard's time went."""

    read: float = 0.0
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
    """Model and lexicon, loaded once per process, and the settings that they serve."""

    def __init__(self, *, settings: Settings, model: str, lexicon: Lexicon, folder: str) -> None:
        self._settings = settings
        self._parser = ChunkParser(model)
        self._lexicon = lexicon
        self._stop_terms = stoplist.TERMS if settings.stoplist else frozenset[str]()
        self._folder = folder

    def extract(self, shard: InputShard) -> tuple[Report, Seconds]:
        """Read, parse, label and commit one shard. Raises SourceError if it cannot be read at all."""
        rows = _Rows(keep_captions=self._settings.keep_captions)
        seconds = Seconds()
        samples = _until_damage(sources.read(shard, self._settings.fields), rows)
        while True:
            start = time.perf_counter()
            batch = _take(samples, TEXTS_PER_ZONE)
            seconds.read += time.perf_counter() - start
            if not batch:
                break
            self._label(batch, rows, seconds)
        start = time.perf_counter()
        report = rows.commit(self._folder, shard, fingerprint(shard, self._settings))
        seconds.write += time.perf_counter() - start
        return report, seconds

    def _label(self, samples: list[Sample], rows: "_Rows", seconds: Seconds) -> None:
        start = time.perf_counter()
        cleaned = [[normalize(caption) for caption in sample.captions] for sample in samples]
        texts = [[text for text, _ in captions if text] for captions in cleaned]
        parse_start = time.perf_counter()
        chunks = iter(self._parser.chunks([text for captions in texts for text in captions]))
        parse_end = time.perf_counter()
        for sample, clean, captions in zip(samples, cleaned, texts, strict=True):
            labels: set[int] = set()
            for caption in captions:
                for chunk in next(chunks):
                    for label in labelers.noun_chunks(chunk, self._lexicon, self._stop_terms):
                        labels.add(label.synset)
                        rows.note_term(label, caption)
            rows.add(sample, clean, labels)
        seconds.parse += parse_end - parse_start
        seconds.label += time.perf_counter() - start - (parse_end - parse_start)


@dataclass(kw_only=True)
class _Rows:
    """A candidate shard while it grows."""

    keep_captions: bool
    keys: list[str] = field(default_factory=list)
    synsets: list[list[int]] = field(default_factory=list)
    images: list[dict[str, int] | None] = field(default_factory=list)
    image_files: dict[ImageFile, int] = field(default_factory=dict)
    captions: list[list[str]] = field(default_factory=list)
    num_captions: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    terms: dict[labelers.Label, tuple[int, list[str]]] = field(default_factory=dict)
    damage: str | None = None

    def note_term(self, label: labelers.Label, caption: str) -> None:
        count, captions = self.terms.get(label, (0, []))
        if len(captions) < _CAPTIONS_PER_TERM and caption not in captions:
            captions.append(caption)
        self.terms[label] = (count + 1, captions)

    def add(self, sample: Sample, cleaned: list[tuple[str, bool]], labels: set[int]) -> None:
        problems = set(sample.problems)
        if any(not text for text, _ in cleaned):
            problems.add(Problem.EMPTY_CAPTION)
        if any(cut for _, cut in cleaned):
            problems.add(Problem.CAPTION_CUT)
        if not labels and any(text for text, _ in cleaned):
            problems.add(Problem.NO_NOUN)
        self.problems.update(problem.value for problem in problems)
        self.keys.append(sample.key)
        self.synsets.append(sorted(labels))
        self.images.append(None)
        if sample.image is not None:
            file = self.image_files.setdefault(sample.image.file, len(self.image_files))
            self.images[-1] = {"file": file, "offset": sample.image.offset, "size": sample.image.size}
        kept = [text for text, _ in cleaned if text]
        self.num_captions += len(kept)
        if self.keep_captions:
            self.captions.append(kept)

    def commit(self, folder: str, shard: InputShard, shard_fingerprint: str) -> Report:
        report = Report(
            fingerprint=shard_fingerprint,
            samples=len(self.keys),
            captions=self.num_captions,
            images=sum(image is not None for image in self.images),
            problems=dict(sorted(self.problems.items())),
            damage=self.damage,
            image_files=tuple(self.image_files),
        )
        terms = sorted(self.terms.items())
        table = pa.table(
            {
                "synset": pa.array([label.synset for label, _ in terms], pa.uint32()),
                "term": pa.array([label.term for label, _ in terms], pa.string()),
                "count": pa.array([count for _, (count, _) in terms], pa.int64()),
                "captions": pa.array([captions for _, (_, captions) in terms], pa.list_(pa.string())),
            }
        )
        columns = CandidateShard(
            keys=pa.array(self.keys, pa.string()),
            synsets=pa.array(self.synsets, schema.LABELS),
            images=pa.array(self.images, schema.IMAGE),
            captions=pa.array(self.captions, pa.list_(pa.string())) if self.keep_captions else None,
            report=report,
        )
        candidates.write(folder, shard.name, columns, table)
        return report


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
