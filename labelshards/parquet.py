"""Arrow tables to Parquet bytes and back, the same bytes for the same table."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labelshards.errors import LabelSetError
from labelshards.schema import FORMAT_VERSION, META_VERSION

# Of text; nine would save one byte in fifty, and take half as long again. Numbers are as small with one.
_LEVEL, _LEVEL_OF_NUMBERS = 3, 1
_BATCH = 1 << 14  # values written at a time: sixteen times the default, and by 6 % faster
_AGAIN = "Build the label set again."


def to_bytes(table: pa.Table, metadata: Mapping[bytes, bytes] | None = None) -> bytes:
    """Parquet file (zstd) of `table`, with `metadata` and the format version in its footer.

    `key` and `image.offset` grow from row to row, so they are stored as differences; of `image.size` each value is
    another one, and blocks of differences hold them in the fewest bits.
    """
    footer = {META_VERSION: str(FORMAT_VERSION).encode(), **(metadata or {})}
    sink = pa.BufferOutputStream()
    deltas = {"key": "DELTA_BYTE_ARRAY", "image.offset": "DELTA_BINARY_PACKED", "image.size": "DELTA_BINARY_PACKED"}
    leaves = _leaves(table.schema)
    pq.write_table(
        table.replace_schema_metadata(footer),
        sink,
        compression="zstd",
        compression_level={name: _LEVEL if kind == pa.string() else _LEVEL_OF_NUMBERS for name, kind in leaves.items()},
        write_batch_size=_BATCH,
        use_dictionary=[name for name in leaves if name not in deltas],
        column_encoding={name: encoding for name, encoding in deltas.items() if name in leaves},
    )
    return bytes(sink.getvalue())


def from_bytes(data: bytes, schema: pa.Schema, where: str) -> pa.Table:
    """The table in `data`, its columns as `schema` wants them. Raises LabelSetError that names `where`."""
    try:
        table = read_table(data)
    except (pa.ArrowException, OSError) as error:
        raise LabelSetError(f"{where} is not a readable Parquet file ({error}). {_AGAIN}") from error
    version = (table.schema.metadata or {}).get(META_VERSION)
    if version != str(FORMAT_VERSION).encode():
        found = version.decode(errors="replace") if version else "none"
        raise LabelSetError(f"{where} has format version {found}; this catlip reads version {FORMAT_VERSION}. {_AGAIN}")
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise LabelSetError(f"{where} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}. {_AGAIN}")
    try:
        return typed(table, schema).combine_chunks()
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise LabelSetError(f"{where} has columns of other types than the format says ({error}). {_AGAIN}") from error


def typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema` in its types: text that is UTF-8, and no nulls where it has none.

    Raises pa.ArrowException, ValueError and KeyError.
    """
    found = table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
    found.validate(full=True)
    for field in schema:
        if pa.types.is_list(field.type) and pc.list_flatten(found[field.name]).null_count:
            raise pa.ArrowInvalid(f"{field.name} has nulls in its lists")
    return found


def read_table(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The Parquet file in `data`, all of it or those of `columns` that it has, read by this thread alone.

    Raises OSError and pa.ArrowException. `pq.read_table` reads in threads of its own, and one that still holds `data`
    when Python ends aborts the process.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
        return file.read(columns=columns, use_threads=False)
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(f"a name in it is not UTF-8: {error}") from error


def _leaves(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Types of the physical columns by their dotted names, as Parquet calls them."""
    found: dict[str, pa.DataType] = {}
    for field in schema:
        if pa.types.is_struct(field.type):
            found |= {f"{field.name}.{child.name}": child.type for child in field.type}
        elif pa.types.is_list(field.type):
            found[f"{field.name}.list.element"] = field.type.value_type
        else:
            found[field.name] = field.type
    return found
