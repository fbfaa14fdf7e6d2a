"""The terms of all captions, `_candidates/` in a label set: what a change of senses, families or threshold starts from.

Private to stage 1. Per input shard: NAME.terms (its distinct terms, and captions that have them) and NAME.parquet (a
row a sample: key, numbers of its terms, image, captions). NAME.parquet is written last, and its footer carries the
shard's report and fingerprint: where it stands, the shard is done. Each reader takes the columns that it needs.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelgen.arrays.ragged import Rows, pack
from labelgen.mentions.termtable import TERMS, Entries, kinds_of
from labelshards import parquet, schema, storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile

FOLDER_NAME = "_candidates"
SETTINGS_NAME = "settings.json"

_META_REPORT = b"catlip.report"

_FIELDS = {field.name: field for field in (*schema.label_shard(with_captions=True), *TERMS)}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What extracting one shard found. `problems` counts samples by reason. `slow`: why spaCy's own pipeline parsed."""

    fingerprint: str
    samples: int
    captions: int
    images: int
    problems: dict[str, int]
    damage: str | None
    image_files: tuple[ImageFile, ...]
    slow: str | None = None


@dataclass(frozen=True, kw_only=True)
class CandidateShard:
    """N samples. keys: string [N]; mentions: list<uint32> [N] (numbers of entries, rising, unique); images: struct [N];
    captions: list<string> [N] or None. terms: TERMS [E]."""

    keys: pa.Array
    mentions: pa.ListArray
    images: pa.Array
    captions: pa.ListArray | None
    terms: pa.Table
    report: Report

    def mentioned(self) -> "Mentions":
        """What senses are chosen from."""
        return _mentions(self.mentions, self.terms, "a shard")


class Mentions(NamedTuple):
    """Sample i mentions values[offsets[i]:offsets[i+1]], numbers of entries, rising and unique.

    offsets: int64 [N+1]; values: int64; entries [E]; examples: rows of samples that have each entry, a few.
    """

    offsets: np.ndarray
    values: np.ndarray
    entries: Entries
    examples: Rows

    def first(self, num_samples: int) -> "Mentions":
        """The first samples alone, with all entries and without examples."""
        offsets = self.offsets[: num_samples + 1]
        return Mentions(offsets, self.values[: offsets[-1]], self.entries, pack([[]] * len(self.entries.texts)))


class Texts(NamedTuple):
    """texts: string [E]; heads: int64 [E], as in termtable.Entries."""

    texts: pa.StringArray
    heads: np.ndarray

    def of(self, entries: np.ndarray) -> list[str]:
        """What these entries, int64 [n], are called: a pair by both of its words, the modifier first."""
        heads = self.heads[entries]
        found: list[str] = self.texts.take(pa.array(entries)).to_pylist()
        pairs = np.flatnonzero(heads >= 0)
        for at, head in zip(pairs.tolist(), self.texts.take(pa.array(heads[pairs])).to_pylist(), strict=True):
            found[at] = f"{found[at]} {head}"
        return found


class Samples(NamedTuple):
    """keys: string [N]; images: struct [N]; captions: list<string> [N] or None."""

    keys: pa.Array
    images: pa.Array
    captions: pa.ListArray | None
    report: Report


def folder_of(label_set: str) -> str:
    """Where the candidates of a label set lie."""
    return storage.join(label_set, FOLDER_NAME)


def write(folder: str, name: str, shard: CandidateShard) -> None:
    """Commit one shard: terms first, the shard itself last."""
    storage.write_bytes(storage.join(folder, f"{name}.terms"), parquet.to_bytes(shard.terms))
    arrays = [shard.keys, shard.mentions, shard.images]
    # In the form of a label shard; where that has classes, numbers of entries stand.
    names = ["key", "labels", "image"]
    if shard.captions is not None:
        arrays.append(shard.captions)
        names.append("captions")
    table = pa.Table.from_arrays(arrays, names=names).cast(schema.label_shard(shard.captions is not None))
    storage.write_bytes(
        storage.join(folder, f"{name}.parquet"),
        parquet.to_bytes(table, {_META_REPORT: msgspec.json.encode(shard.report)}),
    )


def read_mentions(folder: str, name: str) -> Mentions:
    """What senses are chosen from. Raises CatlipError if the shard is gone or broken."""
    rows = _read(storage.join(folder, f"{name}.parquet"), ["labels"])["labels"].combine_chunks()
    where = storage.join(folder, f"{name}.terms")
    return _mentions(rows, _read(where, ["text", "role", "form", "head", "rows"]), where)


def read_entries(folder: str, name: str) -> Entries:
    """The entries of one shard alone. Raises CatlipError like `read_mentions`."""
    where = storage.join(folder, f"{name}.terms")
    return _entries(_read(where, ["text", "role", "form", "head"]), where)


def read_lengths(folder: str, name: str) -> np.ndarray:
    """int64 [N]: how many entries each sample mentions. Raises CatlipError like `read_mentions`."""
    lists = _read(storage.join(folder, f"{name}.parquet"), ["labels"])["labels"].combine_chunks()
    return np.diff(lists.offsets.to_numpy().astype(np.int64))


def read_samples(folder: str, name: str) -> Samples:
    """What a label shard takes over as it is. Raises CatlipError like `read_mentions`."""
    where = storage.join(folder, f"{name}.parquet")
    table = _read(where, ["key", "image", "captions"], may_lack="captions")
    columns = {column: table[column].combine_chunks() for column in table.column_names}
    with _told(where):
        report = msgspec.json.decode((table.schema.metadata or {})[_META_REPORT], type=Report)
    return Samples(columns["key"], columns["image"], columns.get("captions"), report)


def read_texts(folder: str, name: str) -> Texts:
    """How the entries of one shard are called. Raises CatlipError like `read_mentions`."""
    terms = _read(storage.join(folder, f"{name}.terms"), ["text", "head"])
    return Texts(terms["text"].combine_chunks(), terms["head"].to_numpy().astype(np.int64))


def read_captions(folder: str, name: str) -> pa.ListArray:
    """list<string> [E]: a few captions of each entry of one shard. Raises CatlipError like `read_mentions`."""
    return _read(storage.join(folder, f"{name}.terms"), ["captions"])["captions"].combine_chunks()


def read_report(folder: str, name: str) -> Report | None:
    """The report of one shard from its file's footer, or None if the shard is not done (or not readable)."""
    fs, path = storage.filesystem(storage.join(folder, f"{name}.parquet"))
    try:
        with fs.open(path, "rb") as file:
            footer = pq.read_metadata(file).metadata or {}
        return msgspec.json.decode(footer[_META_REPORT], type=Report)
    except (OSError, KeyError, pa.ArrowException, ValueError, RecursionError):
        return None


def _mentions(mentions: pa.ListArray, terms: pa.Table, where: str) -> Mentions:
    offsets, values = _unpacked(mentions)
    with _told(where):
        _refuse_beyond(values, len(terms))
    return Mentions(offsets, values, _entries(terms, where), Rows(*_unpacked(terms["rows"].combine_chunks())))


def _entries(terms: pa.Table, where: str) -> Entries:
    with _told(where):
        kinds = kinds_of(terms["role"].combine_chunks(), terms["form"].combine_chunks())
    return Entries(terms["text"].to_pylist(), kinds, terms["head"].to_numpy().astype(np.int64))


def _unpacked(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """(offsets int64 [N+1], values int64) of a list array, which may be a slice of a longer one."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], values.astype(np.int64)


def _read(where: str, columns: Sequence[str], may_lack: str | None = None) -> pa.Table:
    """These columns in their types. may_lack: one that need not be there."""
    with _told(where):
        table = parquet.read_table(storage.read_bytes(where), columns)
        there = [name for name in columns if name != may_lack or name in table.column_names]
        typed = parquet.typed(table, pa.schema([_FIELDS[name] for name in there]))
        if "head" in there:
            _refuse_beyond(typed["head"].to_numpy(), len(typed))
        return typed


def _refuse_beyond(numbers: np.ndarray, count: int) -> None:
    """Raise ValueError if there is a number of something that there is not."""
    if numbers.max(initial=-1) >= count:
        raise ValueError(f"it names entry {numbers.max()} of {count}")


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Whatever is wrong with what a build left, another one mends."""
    try:
        yield
    except (OSError, pa.ArrowException, KeyError, ValueError, RecursionError) as error:
        raise CatlipError(f"{where} cannot be read ({error}). Run the same build with --rebuild.") from error
