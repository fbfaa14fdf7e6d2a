"""Comma-separated rows with a header, quoted as RFC 4180 says: `"` around a cell, `""` inside for one."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from labelgen.sources import text
from labelgen.sources.fields import CAPTION_NAMES, Fields, choose_columns
from labelgen.sources.rows import Places, Rows
from labelgen.sources.sample import Found, InputShard, Problem

# A quoted cell longer than this was never closed: its first line alone is a broken row.
MAX_CELL_BYTES = 1 << 18
csv.field_size_limit(MAX_CELL_BYTES)

# Bytes as text and back without loss, so that one caption that is not UTF-8 breaks no other.
_BYTES = "latin-1"


class _Row(NamedTuple):
    """One record. `cells` is None if its quotes are not balanced; `size`: its bytes in the file."""

    cells: list[bytes] | None
    size: int


def looks_like(head: bytes) -> bool:
    """True if the first row has several cells, one of them a usual name for captions."""
    cells = _header(head)[0]
    return len(cells) > 1 and not set(cells).isdisjoint(CAPTION_NAMES)


def plan(uri: str, fields: Fields) -> list[InputShard]:
    """Shards of 10,000 rows, the header not counted. A quoted cell may go over several lines."""

    def first_row_at(head: bytes) -> int:
        names, size = _header(head)
        choose_columns(names, fields, uri)
        return size

    return text.plan(uri, "csv", first_row_at, lambda lines: (row.size for row in _rows(lines)))


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a row; without a key column the key is the row's number, nine digits."""
    names, _ = _header(text.head_of(shard.uri))
    places = Places(names, choose_columns(names, fields, shard.uri))
    rows = Rows(shard, fields)
    for row in _rows(text.shard_lines(shard)):
        if row.cells is None:
            yield rows.broken(Problem.BROKEN_ROW)
        elif len(row.cells) != len(names):
            yield rows.broken(Problem.RAGGED_ROW)
        else:
            yield rows.sample(places.pick(row.cells))


def _header(head: bytes) -> tuple[list[str], int]:
    """The first row's cells, and its bytes in the file with the byte order mark."""
    mark = text.mark_size(head)
    row = next(_rows(io.BytesIO(head[mark:])), _Row([], 0))
    return [cell.decode(errors="replace") for cell in row.cells or []], mark + row.size


def _rows(lines: Iterator[bytes]) -> Iterator[_Row]:
    """Records one by one. Where quotes are not balanced, one line is a broken record, and the next begins another."""
    feed = _Feed(lines)
    reader = csv.reader(feed, strict=True)
    while True:
        feed.of_row.clear()
        try:
            cells = [cell.encode(_BYTES) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            feed.give_back_all_but_one()
            yield _Row(None, len(feed.of_row[0]))
        else:
            yield _Row(cells, sum(map(len, feed.of_row)))


class _Feed(Iterator[str]):
    """Lines for a csv.reader, which takes them one by one; remembers those of the record under way."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._again: deque[bytes] = deque()
        self.of_row: list[bytes] = []

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.of_row.append(line)
        return line.decode(_BYTES)

    def give_back_all_but_one(self) -> None:
        self._again.extendleft(reversed(self.of_row[1:]))  # extendleft turns the order round
        del self.of_row[1:]
