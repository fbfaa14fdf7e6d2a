"""Flat arrays of different lengths ↔ the bytes of one file that knows whether it is whole and what it belongs to."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from labelshards import storage

_DIGEST_BYTES = 16  # hexadecimal digits
_META_KEY = b"catlip.key"


def to_bytes(arrays: Mapping[str, pa.Array], key: str, compression: str | None = "zstd") -> bytes:
    """An Arrow stream behind its own hash. `key`: what the arrays were made from."""
    # Arrays of different lengths: each is the one row of its column.
    columns = [pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), array) for array in arrays.values()]
    table = pa.Table.from_arrays(columns, names=list(arrays)).replace_schema_metadata({_META_KEY: key.encode()})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    payload = bytes(sink.getvalue())
    return storage.digest(payload).encode() + payload


def from_bytes(data: bytes | memoryview, key: str, names: Sequence[str] | None = None) -> dict[str, pa.Array] | None:
    """The arrays, or None if the data is broken or was made from something else. `names`: unpack these alone.

    What was written without compression is not copied.
    """
    payload = memoryview(data)[_DIGEST_BYTES:]
    if storage.digest(payload).encode() != data[:_DIGEST_BYTES]:
        return None
    try:
        with pa.ipc.open_stream(payload) as stream:  # whose arrays they are, before any is unpacked
            schema = stream.schema
        if (schema.metadata or {}).get(_META_KEY) != key.encode():
            return None
        fields = None if names is None else [schema.get_field_index(name) for name in names]
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        table = pa.ipc.open_stream(payload, options=options).read_all()
        table.validate()
        return {name: table[name].chunk(0).values for name in table.column_names}
    except (pa.ArrowException, OSError, IndexError, AttributeError):  # the last two of what has no lists, or no row
        return None
