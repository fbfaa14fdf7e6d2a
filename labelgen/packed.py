"""Flat arrays of different lengths ↔ the bytes of one file that knows whether it is whole and what it belongs to."""

from collections.abc import Mapping

import pyarrow as pa

from labelshards import storage

_DIGEST_BYTES = 16
_META_KEY = b"catlip.key"


def to_bytes(arrays: Mapping[str, pa.Array], key: str) -> bytes:
    """An Arrow stream (zstd) behind its own hash. `key`: what the arrays were made from."""
    # Arrays of different lengths: each is the one row of its column.
    columns = [pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), array) for array in arrays.values()]
    table = pa.Table.from_arrays(columns, names=list(arrays)).replace_schema_metadata({_META_KEY: key.encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    payload = bytes(sink.getvalue())
    return storage.digest(payload).encode() + payload


def from_bytes(data: bytes, key: str) -> dict[str, pa.Array] | None:
    """The arrays, or None if the data is broken or was made from something else."""
    if storage.digest(data[_DIGEST_BYTES:]).encode() != data[:_DIGEST_BYTES]:
        return None
    try:
        table = pa.ipc.open_stream(pa.py_buffer(data)[_DIGEST_BYTES:]).read_all()
    except pa.ArrowException:
        return None
    if (table.schema.metadata or {}).get(_META_KEY) != key.encode():
        return None
    return {name: table[name].chunk(0).values for name in table.column_names}
