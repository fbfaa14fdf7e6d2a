"""The terms of all captions, `_candidates/` in a label set: what a change of senses, families or threshold starts from.

Private to stage 1. Per input shard: NAME.terms (its distinct terms, and captions that have them) and NAME.parquet (a
row a sample: key, numbers of its terms, image, captions). NAME.parquet is written last, and its footer carries the
shard's report and fingerprint: where it stands, the shard is done.
"""

from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelgen.terms import Form, Role, Term
from labelshards import parquet, schema, storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile

FOLDER_NAME = "_candidates"
SETTINGS_NAME = "settings.json"

_META_REPORT = b"catlip.report"

# Looked up for every entry of every shard; calling the enumerations takes ten times as long.
_ROLES = {role.value: role for role in Role}
_FORMS = {form.value: form for form in Form}

_TERMS = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("form", pa.string(), nullable=False),
        pa.field("head", pa.int32(), nullable=False),
        pa.field("rows", pa.list_(pa.field("element", pa.uint32(), nullable=False)), nullable=False),
        pa.field("captions", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)


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


class Entry(NamedTuple):
    """A term of a shard, or a pair of them: then `head` is the number of the entry that this term modifies, else -1."""

    term: Term
    head: int


class Example(NamedTuple):
    """A caption that has a term, and the row of its sample."""

    row: int
    caption: str


@dataclass(frozen=True, kw_only=True)
class CandidateShard:
    """N samples. keys: string [N]; mentions: list<uint32> [N] (numbers of entries, rising, unique); images: struct [N];
    captions: list<string> [N] or None. entries [E], and a few examples of each."""

    keys: pa.Array
    mentions: pa.ListArray
    images: pa.Array
    captions: pa.ListArray | None
    entries: list[Entry]
    examples: list[list[Example]]
    report: Report

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """(offsets int64 [N+1], entries int64): sample i has entries[offsets[i]:offsets[i+1]]."""
        offsets = self.mentions.offsets.to_numpy().astype(np.int64)
        values = self.mentions.values.to_numpy(zero_copy_only=False).astype(np.int64)
        return offsets - offsets[0], values[offsets[0] : offsets[-1]]


def folder_of(label_set: str) -> str:
    """Where the candidates of a label set lie."""
    return storage.join(label_set, FOLDER_NAME)


def write(folder: str, name: str, shard: CandidateShard) -> None:
    """Commit one shard: terms first, the shard itself last."""
    columns = {
        "text": [entry.term.text for entry in shard.entries],
        "role": [entry.term.role.value for entry in shard.entries],
        "form": [entry.term.form.value for entry in shard.entries],
        "head": [entry.head for entry in shard.entries],
        "rows": [[example.row for example in examples] for examples in shard.examples],
        "captions": [[example.caption for example in examples] for examples in shard.examples],
    }
    storage.write_bytes(
        storage.join(folder, f"{name}.terms"), parquet.to_bytes(pa.Table.from_pydict(columns, schema=_TERMS))
    )
    arrays = [shard.keys, shard.mentions, shard.images]
    names = ["key", "labels", "image"]
    if shard.captions is not None:
        arrays.append(shard.captions)
        names.append("captions")
    table = pa.Table.from_arrays(arrays, names=names).cast(schema.label_shard(shard.captions is not None))
    storage.write_bytes(
        storage.join(folder, f"{name}.parquet"),
        parquet.to_bytes(table, {_META_REPORT: msgspec.json.encode(shard.report)}),
    )


def read(folder: str, name: str, *, with_examples: bool = True) -> CandidateShard:
    """One shard, its entries without examples if those are not wanted. Raises CatlipError if it is gone or broken."""
    where = storage.join(folder, f"{name}.parquet")
    table = _read(where)
    report = msgspec.json.decode(table.schema.metadata[_META_REPORT], type=Report)
    with_captions = "captions" in table.column_names
    table = table.cast(schema.label_shard(with_captions).with_metadata(table.schema.metadata))
    columns = {column: table[column].combine_chunks() for column in table.column_names}
    terms = _read(storage.join(folder, f"{name}.terms"))
    return CandidateShard(
        keys=columns["key"],
        mentions=columns["labels"],
        images=columns["image"],
        captions=columns.get("captions"),
        entries=_entries(terms),
        examples=_examples(terms) if with_examples else [[] for _ in range(len(terms))],
        report=report,
    )


def read_entries(folder: str, name: str) -> list[Entry]:
    """The entries of one shard alone. Raises CatlipError like `read`."""
    return _entries(_read(storage.join(folder, f"{name}.terms")))


def read_report(folder: str, name: str) -> Report | None:
    """The report of one shard from its file's footer, or None if the shard is not done (or not readable)."""
    fs, path = storage.filesystem(storage.join(folder, f"{name}.parquet"))
    try:
        with fs.open(path, "rb") as file:
            footer = pq.read_metadata(file).metadata or {}
        return msgspec.json.decode(footer[_META_REPORT], type=Report)
    except (OSError, KeyError, pa.ArrowException, msgspec.MsgspecError):
        return None


def _examples(terms: pa.Table) -> list[list[Example]]:
    columns = zip(terms["rows"].to_pylist(), terms["captions"].to_pylist(), strict=True)
    return [list(map(Example, rows, captions)) for rows, captions in columns]


def _entries(terms: pa.Table) -> list[Entry]:
    columns = (terms[column].to_pylist() for column in ("text", "role", "form", "head"))
    return [
        Entry(Term(text, _ROLES[role], _FORMS[form]), head) for text, role, form, head in zip(*columns, strict=True)
    ]


def _read(where: str) -> pa.Table:
    try:
        return parquet.read_table(storage.read_bytes(where))
    except (OSError, pa.ArrowException) as error:
        raise CatlipError(f"{where} cannot be read ({error}). Run the same build with --rebuild.") from error
