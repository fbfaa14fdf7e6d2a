"""What takes seconds to make and depends on language data alone, kept as a file in the cache folder.

A file is named by all that decides its content, carries its own hash, and appears whole or not at all. One that is
missing, broken or cannot be written costs time, and nothing else.
"""

import contextlib
from collections.abc import Callable, Mapping

import pyarrow as pa

from labelgen import language_data
from labelshards import storage

_DIGEST_BYTES = 16


def compiled(name: str, key: str, make: Callable[[], Mapping[str, pa.Array]]) -> Mapping[str, pa.Array]:
    """Arrays by name: those of the cached file NAME-KEY, or new ones from `make`, which are then kept."""
    file = language_data.cache_folder() / "compiled" / f"{name}-{key}.arrow"
    with contextlib.suppress(OSError, pa.ArrowException):
        data = file.read_bytes()
        if storage.digest(data[_DIGEST_BYTES:]).encode() == data[:_DIGEST_BYTES]:
            table = pa.ipc.open_stream(pa.py_buffer(data)[_DIGEST_BYTES:]).read_all()
            # Arrays of different lengths: each is the one row of its column.
            return {column: table[column].chunk(0).values for column in table.column_names}
    made = make()
    columns = [
        pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), array) for array in made.values()
    ]
    table = pa.Table.from_arrays(columns, names=list(made))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    payload = bytes(sink.getvalue())
    with contextlib.suppress(OSError):
        storage.write_bytes(str(file), storage.digest(payload).encode() + payload)
    return made
