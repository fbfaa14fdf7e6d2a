"""One caption a line: plain text, and what comes through a pipe. No images."""

from labelgen.sources import text
from labelgen.sources.fields import Fields
from labelgen.sources.rows import Cells, Rows
from labelgen.sources.sample import Found, InputShard


def looks_like(_head: bytes) -> bool:
    """False: every text looks like lines, so nothing says that these are captions. The name must."""
    return False


def plan(uri: str, _fields: Fields) -> list[InputShard]:
    """Shards of 10,000 lines."""
    return text.plan(uri, "txt", text.mark_size)


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a line; the key is the line's number, nine digits."""
    rows = Rows(shard, fields)
    for line in text.shard_lines(shard):
        yield rows.sample(Cells([text.line_content(line)]))
