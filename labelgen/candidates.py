"""The parse before pruning, `_candidates/` in a label set: what a change of the threshold starts from.

Private to stage 1. Per input shard: NAME.parquet (a row a sample: key, synsets, image, captions) and
NAME.terms (which terms gave which synsets, how often, in which captions). NAME.parquet is written last, and its
footer carries the shard's report and fingerprint: where it stands, the shard is done.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelshards import parquet, schema, storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile

FOLDER_NAME = "_candidates"
SETTINGS_NAME = "settings.json"

_META_REPORT = b"catlip.report"

_TERMS = pa.schema(
    [
        pa.field("synset", pa.uint32(), nullable=False),
        pa.field("term", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("captions", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What extracting one shard found. `problems` counts samples by reason."""

    fingerprint: str
    samples: int
    captions: int
    images: int
    problems: dict[str, int]
    damage: str | None
    image_files: tuple[ImageFile, ...]


@dataclass(frozen=True, kw_only=True)
class CandidateShard:
    """N samples. keys: string [N]; synsets: list<uint32> [N] (sorted, unique, lexicon ids); images: struct [N];
    captions: list<string> [N] or None."""

    keys: pa.Array
    synsets: pa.ListArray
    images: pa.Array
    captions: pa.ListArray | None
    report: Report

    def flat_synsets(self) -> np.ndarray:
        """uint32: all samples' synsets one after the other; each sample counts a synset once."""
        values: np.ndarray = self.synsets.flatten().to_numpy()
        return values


def folder_of(label_set: str) -> str:
    """Where the candidates of a label set lie."""
    return storage.join(label_set, FOLDER_NAME)


def write(folder: str, name: str, shard: CandidateShard, terms: pa.Table) -> None:
    """Commit one shard: terms first, the shard itself last."""
    storage.write_bytes(storage.join(folder, f"{name}.terms"), parquet.to_bytes(terms.cast(_TERMS)))
    columns = [shard.keys, shard.synsets, shard.images]
    names = ["key", "labels", "image"]
    if shard.captions is not None:
        columns.append(shard.captions)
        names.append("captions")
    table = pa.Table.from_arrays(columns, names=names).cast(schema.label_shard(shard.captions is not None))
    storage.write_bytes(
        storage.join(folder, f"{name}.parquet"),
        parquet.to_bytes(table, {_META_REPORT: msgspec.json.encode(shard.report)}),
    )


def read(folder: str, name: str) -> CandidateShard:
    """One shard. Raises CatlipError if it is gone or broken."""
    where = storage.join(folder, f"{name}.parquet")
    table = _read(where)
    report = msgspec.json.decode(table.schema.metadata[_META_REPORT], type=Report)
    with_captions = "captions" in table.column_names
    table = table.cast(schema.label_shard(with_captions).with_metadata(table.schema.metadata))
    columns = {column: table[column].combine_chunks() for column in table.column_names}
    return CandidateShard(
        keys=columns["key"],
        synsets=columns["labels"],
        images=columns["image"],
        captions=columns.get("captions"),
        report=report,
    )


def read_terms(folder: str, name: str) -> pa.Table:
    """The terms of one shard: synset uint32, term string, count int64, captions list<string>."""
    return _read(storage.join(folder, f"{name}.terms"))


def read_report(folder: str, name: str) -> Report | None:
    """The report of one shard from its file's footer, or None if the shard is not done (or not readable)."""
    fs, path = storage.filesystem(storage.join(folder, f"{name}.parquet"))
    try:
        with fs.open(path, "rb") as file:
            footer = pq.read_metadata(file).metadata or {}
        return msgspec.json.decode(footer[_META_REPORT], type=Report)
    except (OSError, KeyError, pa.ArrowException, msgspec.MsgspecError):
        return None


def _read(where: str) -> pa.Table:
    try:
        return parquet.read_table(storage.read_bytes(where))
    except (OSError, pa.ArrowException) as error:
        raise CatlipError(f"{where} cannot be read ({error}). Run the same build with --rebuild.") from error
