"""Edits that know what they edit: one value of a JSON document, of a TOML recipe, of a line of columns, of a table.

Bytes that are changed at random seldom get past a parser; these do, and say something that no writer of ours says.
"""

import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from labelshards import parquet

# What data becomes, or None where it is not of the shape.
Shape: TypeAlias = Callable[[random.Random, bytes], bytes | None]

# As they stand in JSON; some of them are none.
_JSON_VALUES = (
    "null", "true", "-1", "0", "65536", "2147483648", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "-9223372036854775809", "1.5", "-0.0", "1e999", "NaN", "-Infinity", "[]", "{}",
    "[null]", "[[]]", "[0]", '[""]',
    '["a",1]', '{"a":1}', '""', '"0"', '"../up"', '"/etc/passwd"', '"\\u0000"', '"\\ud800"', '"\\u001b[2J"',
    '"e\\u0301"', '"\\u00e9"', '"n00000001"', '"\\u202e"', "9" * 5000, f'"{"a" * 70_000}"', "[" * 3000 + "]" * 3000,
    '{"a":' * 3000 + "1" + "}" * 3000,
)  # fmt: skip
_TOML_VALUES = (
    "true", "-1", "0", "1e999", "nan", "-inf", "9" * 5000, "9223372036854775808", '""', '"../up"', "[]", "{}", "[1, '",
    '"""', "1979-05-27T07:32:00Z", '"\\u0000"', "[" * 3000 + "]" * 3000, "{a=" * 3000 + "1" + "}" * 3000, "0x_1", "1_",
)  # fmt: skip
_CELLS = (
    "", " ", "-", "*", "#", "-1", "nan", "1e999", "9" * 5000, "../up", "/etc/passwd", "\0", "\x1b[2J", '"', '""', "a,b",
    "é", "e\u0301", "\u2028", "\u202e", "below", "below ", "+", "a+b+c", "noun.time", "n02084071", "dog.n.01",
    "!dog.n.01", "dog.n.01 > cat.n.01(cue)", "(", "dog.n.99999999999", "http://x", "a" * 70_000,
)  # fmt: skip
_MARK = "@here@"


def of_json(rng: random.Random, data: bytes) -> bytes | None:
    """One value of a JSON document, or of one of its lines, is another one, is gone, or stands twice."""
    try:
        return _json(rng, json.loads(data)).encode(errors="surrogatepass")
    except (ValueError, RecursionError):
        pass
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    try:
        lines[at] = _json(rng, json.loads(lines[at])).encode(errors="surrogatepass")
    except (ValueError, RecursionError):
        return None
    return b"\n".join(lines)


def _json(rng: random.Random, root: Any) -> str:  # noqa: ANN401
    """Text, because not all that is tried can be said by objects."""
    holder = [root]
    places: list[tuple[Any, Any]] = [(holder, 0)]
    for parent, key in places:  # grows meanwhile
        child = parent[key]
        if isinstance(child, dict | list):
            keys: Sequence[Any] = list(child) if isinstance(child, dict) else range(min(len(child), 50))
            places += [(child, each) for each in keys]
    parent, key = rng.choice(places)
    child, what = parent[key], rng.random()
    if isinstance(child, str) and child.startswith("{") and what < 0.7:
        parent[key] = _json(rng, json.loads(child))  # JSON in JSON, as headers of checkpoints have it
        return json.dumps(holder[0])
    if what < 0.15 and parent is not holder:
        del parent[key]
    elif what < 0.25 and isinstance(parent, list):
        parent.insert(key, parent[key])
    elif what < 0.3 and isinstance(parent, list):
        parent[:] = (parent * 200)[:5000]
    else:
        parent[key] = _MARK
    return json.dumps(holder[0]).replace(f'"{_MARK}"', rng.choice(_JSON_VALUES))


def of_toml(rng: random.Random, data: bytes) -> bytes | None:
    """One value of a line `key = value` is another one."""
    lines = data.decode(errors="replace").split("\n")
    places = [at for at, line in enumerate(lines) if "=" in line]
    if not places:
        return None
    at = rng.choice(places)
    lines[at] = f"{lines[at].partition('=')[0]}= {rng.choice(_TOML_VALUES)}"
    return "\n".join(lines).encode()


def of_columns(separator: str) -> Shape:
    """The shape of lines of cells, one of which is another one."""

    def change(rng: random.Random, data: bytes) -> bytes | None:
        lines = data.decode(errors="replace").split("\n")
        at = rng.randrange(len(lines))
        cells = lines[at].split(separator)
        cells[rng.randrange(len(cells))] = rng.choice(_CELLS)
        lines[at] = separator.join(cells)
        return "\n".join(lines).encode(errors="replace")

    return change


def of_table(rng: random.Random, data: bytes) -> bytes | None:
    """A Parquet file's rows stand otherwise, or one of its columns has another type, nulls, or values of other rows.

    Or it is gone, or there twice; or a line of the metadata has another value.
    """
    try:
        table = parquet.read_table(data)
        table.validate(full=True)  # pyarrow reads a dictionary's numbers unseen, and dies of wrong ones when it writes
    except (pa.ArrowException, OSError):
        return None
    metadata = dict(table.schema.metadata or {})
    what = rng.random()
    if what < 0.3 and metadata:
        key = rng.choice(list(metadata))
        metadata[key] = of_json(rng, metadata[key]) or rng.choice((b"", b"\xff", b"{}", b"9" * 30))
        if rng.random() < 0.2:
            del metadata[key]
    elif table.num_columns:
        at = rng.randrange(table.num_columns)
        name = table.column_names[at]
        if what < 0.35:
            table = table.remove_column(at)
        elif what < 0.4:
            table = table.append_column(name, table.column(at))
        elif what < 0.5:
            table = table.take(_rows(rng, table.num_rows, rng.randint(0, 2 * table.num_rows)))
        elif what < 0.6:
            table = table.set_column(at, name, table.column(at).take(_rows(rng, table.num_rows, table.num_rows)))
        else:
            table = table.set_column(at, name, _column(rng, table.num_rows))
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(table.replace_schema_metadata(metadata), sink)
    except (pa.ArrowException, OSError, ValueError):
        return None
    return bytes(sink.getvalue())


def _rows(rng: random.Random, num_rows: int, count: int) -> pa.Array:
    """Any of the rows, in any order."""
    return pa.array([rng.randrange(num_rows) for _ in range(count if num_rows else 0)], pa.int64())


def _column(rng: random.Random, num_rows: int) -> pa.Array:
    values, kind = rng.choice(_COLUMNS)
    return pa.array([rng.choice(values) for _ in range(num_rows)], kind)


_COLUMNS: tuple[tuple[Sequence[Any], pa.DataType], ...] = (
    ([None], pa.null()),
    ([None, "a", "é", "e\u0301", "\0", ""], pa.string()),
    ([b"\xff\xfe", b"", None], pa.binary()),
    ([b"abcd"], pa.binary(4)),
    ([-1, 0, 2**63 - 1, -(2**63)], pa.int64()),
    ([0, 2**64 - 1], pa.uint64()),
    ([0, 2**32 - 1, None], pa.uint32()),
    ([float("nan"), float("inf"), -0.0, 1e300], pa.float64()),
    ([True, False, None], pa.bool_()),
    ([2**62, -(2**62), 0], pa.timestamp("us")),
    ([2**62, -(2**62), 0], pa.timestamp("us", "Nowhere/Land")),
    ([2**31 - 1, -(2**31)], pa.date32()),
    ([2**62], pa.duration("us")),
    ([[], [None], None, ["a", None]], pa.list_(pa.string())),
    ([[2**32 - 1, 0, 0], [3, 1], None], pa.list_(pa.uint32())),
    ([[[1]], [[]], None], pa.list_(pa.list_(pa.int8()))),
    ([{"file": 65_535, "offset": -1, "size": -1}, {"file": 0, "offset": 2**62, "size": 2**31 - 1}, None],
     pa.struct([("file", pa.uint16()), ("offset", pa.int64()), ("size", pa.int32())])),
    ([{"bytes": b"", "path": None}, {"bytes": None, "path": "x"}, None],
     pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    ([1, -1], pa.decimal128(38, 37)),
)  # fmt: skip


def of_safetensors(rng: random.Random, data: bytes) -> bytes | None:
    """One value of the header is another one, and the header's length fits."""
    if len(data) < 8:
        return None
    (size,) = struct.unpack("<Q", data[:8])
    header = of_json(rng, data[8 : 8 + size])
    return None if header is None else struct.pack("<Q", len(header)) + header + data[8 + size :]
