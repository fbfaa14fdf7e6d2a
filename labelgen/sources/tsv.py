"""Tab-separated lines, with a header or, as in CC3M's own file, without: then `caption<TAB>url`.

No quoting: a quotation mark is one, and a tab or a line feed always ends a cell.
"""

from typing import NamedTuple

from labelgen.sources import text
from labelgen.sources.fields import CAPTION_NAMES, Columns, Fields, choose_columns
from labelgen.sources.rows import Places, Rows
from labelgen.sources.sample import Found, InputShard, Problem

_HEADERLESS = Columns(captions=("caption",), key=None, image=None)


class _Layout(NamedTuple):
    """names: the header's cells; without a header those of CC3M's file."""

    names: list[str]
    columns: Columns
    first_row_at: int


def looks_like(head: bytes) -> bool:
    """True if the first line has a tab, and a usual name for captions, or a URL in its second cell."""
    cells = _first_cells(head)
    return len(cells) > 1 and (not set(cells).isdisjoint(CAPTION_NAMES) or cells[1].startswith(("http://", "https://")))


def plan(uri: str, fields: Fields) -> list[InputShard]:
    """Shards of 10,000 lines, the header not counted."""
    return text.plan(uri, "tsv", lambda head: _layout(head, fields, uri).first_row_at)


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a line; without a key column the key is the line's number, nine digits, as img2dataset counts."""
    names, columns, _ = _layout(text.head_of(shard.uri), fields, shard.uri)
    places = Places(names, columns)
    rows = Rows(shard, fields)
    for line in text.shard_lines(shard):
        cells = text.line_content(line).split(b"\t")
        if len(cells) != len(names) and columns is not _HEADERLESS:  # of those only the first cell counts
            yield rows.broken(Problem.RAGGED_ROW)
        else:
            yield rows.sample(places.pick(cells))


def _layout(head: bytes, fields: Fields, uri: str) -> _Layout:
    """The first line is a header if columns are chosen, or if it has a usual name for captions."""
    names = _first_cells(head)
    if not fields.chosen() and set(names).isdisjoint(CAPTION_NAMES):
        return _Layout(["caption", "url"], _HEADERLESS, text.mark_size(head))
    return _Layout(names, choose_columns(names, fields, uri), len(head.partition(b"\n")[0]) + 1)


def _first_cells(head: bytes) -> list[str]:
    line = text.line_content(head[text.mark_size(head) :].partition(b"\n")[0])
    return line.decode(errors="replace").split("\t")
