"""The label set: a folder, and the manifest (labelset.json) that vouches for everything in it."""

from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from labelshards import parquet, schema, storage
from labelshards.errors import LabelSetError
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One label shard, and the input shard that it describes row by row. name: of a file, and no path to it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[^/\x00]+$")]
    rows: int
    labelled: int
    images: int
    bytes: int
    xxh3_64: str
    source: str
    damage: str | None = None


class FailedShard(msgspec.Struct, frozen=True, kw_only=True):
    """An input shard that has no label shard, and why."""

    source: str
    reason: str


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over all shards. `problems` counts samples by reason; a sample may have several."""

    samples: int
    labelled: int
    images: int
    captions: int
    labels: int
    classes: int
    problems: dict[str, int]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What made the labels. Nothing in it changes from run to run: the same input gives the same bytes.

    tools: what read the captions (spacy, nltk, wordnet), each with versions and digests.
    """

    catlip: str
    sources: list[str]
    labeler: str
    settings: dict[str, Any]
    tools: dict[str, dict[str, str]]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of labelset.json."""

    format: str
    format_version: int
    fingerprint: str
    threshold: int | None
    vocabulary_digest: str
    vocabulary_from: str | None
    with_captions: bool
    totals: Totals
    files: dict[str, str]
    provenance: Provenance
    shards: list[ShardEntry]
    failed: list[FailedShard]

    def to_bytes(self) -> bytes:
        """JSON, indented, fields in the order of this class."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class LabelSet:
    """A finished label set, opened for reading. What it returns was checked against the manifest."""

    def __init__(self, root: str, manifest: Manifest, vocabulary: Vocabulary) -> None:
        self.root = root
        self.manifest = manifest
        self.vocabulary = vocabulary

    @classmethod
    def open(cls, root: str) -> "LabelSet":
        """Open the label set in folder `root`. Raises LabelSetError if it is missing, unfinished or changed."""
        manifest = require_manifest(root)
        vocabulary = Vocabulary.from_bytes(
            _read_vouched(root, schema.VOCABULARY_NAME, manifest.files),
            storage.join(root, schema.VOCABULARY_NAME),
        )
        if vocabulary.digest != manifest.vocabulary_digest:
            raise LabelSetError(f"{root}: the vocabulary's digest is not the manifest's. Build the label set again.")
        return cls(root, manifest, vocabulary)

    def read_shard(self, index: int) -> LabelShard:
        """Label shard number `index` of the manifest's list, its hash, row count, vocabulary and labels checked."""
        entry = self.manifest.shards[index]
        name = shard_file(entry)
        shard = LabelShard.from_bytes(
            _read_vouched(self.root, name, {name: entry.xxh3_64}),
            vocabulary_digest=self.vocabulary.digest,
            with_captions=self.manifest.with_captions,
            where=storage.join(self.root, name),
        )
        if len(shard) != entry.rows:
            raise LabelSetError(
                f"{self.root}/{name} has {len(shard)} rows, the manifest says {entry.rows}. Build the label set again."
            )
        shard.check(len(self.vocabulary), storage.join(self.root, name))
        return shard

    def examples(self) -> pa.Table:
        """Terms and captions that produced each class (schema.EXAMPLES), the most frequent term of a class first."""
        return self._read_table(schema.EXAMPLES_NAME, schema.EXAMPLES)

    def _read_table(self, name: str, columns: pa.Schema) -> pa.Table:
        return parquet.from_bytes(self.read_file(name), columns, storage.join(self.root, name))

    def read_file(self, name: str) -> bytes:
        """A file that the manifest lists, its hash checked."""
        return _read_vouched(self.root, name, self.manifest.files)

    def cooccurrence(self) -> pa.Table:
        """Pairs of classes that share samples (schema.COOCCURRENCE)."""
        return self._read_table(schema.COOCCURRENCE_NAME, schema.COOCCURRENCE)

    def rows_per_shard(self) -> np.ndarray:
        """int64 [number of shards]: samples in each."""
        return np.array([entry.rows for entry in self.manifest.shards], dtype=np.int64)

    def spread_shards(self, most_samples: int, most_shards: int | None = None) -> np.ndarray:
        """int64, rising: shards from everywhere with about `most_samples` in all; every shard if there are no more."""
        rows = self.rows_per_shard()
        wanted = max(1, int(len(rows) * most_samples / max(1, rows.sum())))
        wanted = min(wanted, len(rows), most_shards or len(rows))
        return np.linspace(0, len(rows) - 1, wanted).astype(np.int64)


def require_manifest(root: str) -> Manifest:
    """The manifest of the label set in folder `root`. Raises LabelSetError if there is none, or of another format."""
    manifest = read_manifest(root)
    if manifest is None:
        if not storage.exists(root):
            raise LabelSetError(f"{root} does not exist. Give a folder that `catlip labels build` wrote.")
        raise LabelSetError(
            f"{root} is not a finished label set: it has no {schema.MANIFEST_NAME}. If a build of it was broken off, "
            "the same `catlip labels build` goes on; else give another folder."
        )
    return manifest


def read_manifest(root: str) -> Manifest | None:
    """The manifest of folder `root`, or None if there is none yet. Raises LabelSetError if it is of another format."""
    where = storage.join(root, schema.MANIFEST_NAME)
    try:
        data = storage.read_bytes(where)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        # Before its fields: what another version lacks must not hide that it is another version.
        head = msgspec.json.decode(data, type=dict[str, Any])
        if head.get("format") != schema.FORMAT:
            raise LabelSetError(
                f"{where} is not the manifest of a label set. Name a folder that `catlip labels build` wrote."
            )
        if head.get("format_version") != schema.FORMAT_VERSION:
            raise LabelSetError(
                f"{where} has format version {head.get('format_version')}; this catlip reads version "
                f"{schema.FORMAT_VERSION}. Build it again with this catlip, or read it with the one that made it."
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LabelSetError(f"{where} is damaged: {error}. Run `catlip labels build` again.") from error


def is_intact(root: str, manifest: Manifest) -> bool:
    """True if every file that the manifest vouches for is there and has its hash. Reads all of them."""
    vouched = manifest.files | {shard_file(entry): entry.xxh3_64 for entry in manifest.shards}
    try:
        for name in vouched:
            _read_vouched(root, name, vouched)
    except LabelSetError:
        return False
    return True


def shard_file(entry: ShardEntry) -> str:
    """Where a label shard lies in its label set."""
    return f"{schema.SHARD_FOLDER}/{entry.name}.parquet"


def _read_vouched(root: str, name: str, digests: dict[str, str]) -> bytes:
    where = storage.join(root, name)
    try:
        data = storage.read_bytes(where)
    except FileNotFoundError as error:
        raise LabelSetError(f"{where} is missing. Run `catlip labels build` again.") from error
    if storage.digest(data) != digests.get(name):
        raise LabelSetError(f"{where} changed after the label set was finished. Run `catlip labels build` again.")
    return data
