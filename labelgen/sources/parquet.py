"""Parquet with chosen columns: captions as text or lists of text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from labelgen.sources.fields import Fields, choose_columns
from labelgen.sources.rows import Places, Rows, plan_row_ranges
from labelgen.sources.sample import Found, InputShard, SourceDamageError, SourceError
from labelshards import storage
from labelshards.errors import first_line

_MAGIC = b"PAR1"
_MOST_ROWS = 10**9  # in one file; a footer may claim any number, and each 10,000 would be a shard
_ROWS_AT_ONCE = 1_000  # a row may be long, and stand once in the file for all that are like it
# Old writers do not say that their bytes are text; a column of nulls has no better type.
_TEXT_TYPES = frozenset(
    {pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(), pa.null()}
)


def looks_like(head: bytes) -> bool:
    """True if Parquet's mark stands at the start."""
    return head.startswith(_MAGIC)


def plan(uri: str, _fields: Fields) -> list[InputShard]:
    """Shards of 10,000 rows, from the footer alone."""
    return plan_row_ranges(uri, "parquet", _count_rows)


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a row; without a key column the key is the row's number, nine digits."""
    with opened(shard.uri) as file:
        if not shard.num_rows:
            raise SourceError(f"{shard.uri} has no row.")
        schema = file.schema_arrow
        columns = choose_columns(schema.names, fields, shard.uri)
        types = {name: schema.field(name).type for name in (*columns.captions, columns.image) if name}
        for name in columns.captions:
            if not _is_text(types[name]) and not _is_text_list(types[name]):
                raise SourceError(f"{shard.uri} has {types[name]} in {name!r}: captions are text or lists of text.")
        if columns.image is not None and not _is_text(types[columns.image]):
            if fields.image_column:
                raise SourceError(f"{shard.uri} has {types[columns.image]} in {columns.image!r}, which is no path.")
            columns = columns._replace(image=None)  # Hugging Face's tables call their bytes `image`, too
        names = list(dict.fromkeys(name for name in (*columns.captions, columns.key, columns.image) if name))
        places = Places(names, columns)
        rows = Rows(shard, fields)
        for row in read_rows(file, names, shard.uri, shard.first_row, shard.num_rows):
            yield rows.sample(places.pick(row))


def _count_rows(uri: str) -> int:
    with opened(uri) as file:
        return int(file.metadata.num_rows)


@contextmanager
def opened(uri: str) -> Iterator[pq.ParquetFile]:
    """The file, its footer read. Raises SourceError if that is not possible."""
    fs, path = storage.filesystem(uri)
    try:
        with storage.told(uri):
            raw = fs.open(path, "rb")
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    with raw:
        try:
            file = pq.ParquetFile(raw)
            if not (0 <= file.metadata.num_rows <= _MOST_ROWS and file.schema_arrow is not None):
                raise pa.ArrowInvalid(f"it says that it has {file.metadata.num_rows:,} rows")
        except (OSError, pa.ArrowException, ValueError) as error:
            raise SourceError(f"{uri} is not a whole Parquet file ({first_line(error)}).") from error
        with file:
            yield file


def read_rows(
    file: pq.ParquetFile, names: Sequence[str], uri: str, first: int, count: int
) -> Iterator[tuple[object, ...]]:
    """Rows `first` … `first + count`, as cells of `names`; text comes as bytes, because it may not be UTF-8.

    Raises SourceDamageError where the file is broken.
    """
    groups: list[int] = []
    start = skip = 0
    for group in range(file.metadata.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        if start < first + count and end > first:
            skip = skip if groups else first - start  # rows of the first group, before the range
            groups.append(group)
        start = end
    try:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=groups, columns=list(names)):
            part = batch.slice(skip, count)
            skip = max(0, skip - len(batch))
            count -= len(part)
            yield from zip(*(_as_bytes(part.column(name)).to_pylist() for name in names), strict=True)
            if not count:
                return
    except (OSError, pa.ArrowException, ValueError) as error:
        raise SourceDamageError(f"{uri} is broken ({first_line(error)}).") from error


def _is_text(kind: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in _TEXT_TYPES


def _is_text_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_text(kind.value_type)


def _as_bytes(column: pa.Array) -> pa.Array:
    """Text as binary, without a look at it; whole numbers as they are; nothing, where something else stands."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type):
        return column.cast(pa.large_binary())
    if _is_text_list(column.type):
        return column.cast(pa.large_list(pa.large_binary()))
    return column if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) else pa.nulls(len(column))
