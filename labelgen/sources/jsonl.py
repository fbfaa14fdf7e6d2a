"""JSON lines: one object a line, with captions in some of its fields."""

from collections.abc import Sequence
from typing import Any

from labelgen.sources import coco, text
from labelgen.sources.fields import CAPTION_NAMES, IMAGE_NAMES, KEY_NAMES, Fields, listing
from labelgen.sources.record import decode_object
from labelgen.sources.rows import NO_COLUMN, Cells, Rows
from labelgen.sources.sample import Found, InputShard, Problem, SourceError


def looks_like(head: bytes) -> bool:
    """True if the first line is a JSON object, and not the one of COCO."""
    line, end, _ = head[text.mark_size(head) :].partition(b"\n")
    whole = bool(end) or len(head) < text.HEAD_BYTES
    return whole and decode_object(line) is not None and not coco.looks_like(head)


def plan(uri: str, _fields: Fields) -> list[InputShard]:
    """Shards of 10,000 lines."""
    return text.plan(uri, "jsonl", text.mark_size)


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a line; without a key field the key is the line's number, nine digits.

    Captions may be lists of strings. Where no field is chosen, each line has the first of the usual ones that it has.
    Raises SourceError if no line at all has a field of captions.
    """
    rows = Rows(shard, fields)
    first: dict[str, Any] | None = None
    has_captions = False
    for line in text.shard_lines(shard):
        record = decode_object(line)
        if record is None:
            yield rows.broken(Problem.BROKEN_JSON)
            continue
        first = record if first is None else first
        captions = [record[name] for name in fields.caption_keys or CAPTION_NAMES if name in record]
        has_captions |= bool(captions)
        yield rows.sample(
            Cells(
                captions if fields.caption_keys else captions[:1],
                _value(record, fields.key_column, KEY_NAMES),
                _value(record, fields.image_column, IMAGE_NAMES),
            )
        )
    if first is not None and not has_captions:
        names = " or ".join(fields.caption_keys or CAPTION_NAMES)
        raise SourceError(
            f"{shard.uri} has no field {names}. Its first line has {listing(list(first))}. Name one with --caption-key."
        )


def _value(record: dict[str, Any], chosen: str | None, usual: Sequence[str]) -> object:
    """The chosen field (None if the record lacks it), else the first usual one, else NO_COLUMN."""
    if chosen is not None:
        return record.get(chosen)
    return next((record[name] for name in usual if name in record), NO_COLUMN)
