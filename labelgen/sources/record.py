"""JSON objects with captions in them, as the formats that have them read them."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from labelgen.sources.sample import Problem

# Of a file with the caption of one image no more is read; a caption has 2,000 characters at most.
MAX_BESIDE_BYTES = 1 << 24
# What a JSON file beside an image calls its captions, where none is chosen.
_CAPTION_LISTS = ("captions",)


def decode_object(data: bytes) -> dict[str, Any] | None:
    """A JSON object, or None for what is none. NaN and half surrogates pass: those who write captions write them."""
    try:
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError:
            record = json.loads(data)  # slow, and lenient
            return record if isinstance(record, dict) else None
    except (ValueError, RecursionError):
        return None


def captions_in(values: Iterable[object], problems: list[Problem]) -> tuple[str, ...]:
    """All captions in cells: text, UTF-8 bytes, or a list of those; anything else is none.

    Notes in `problems` if a caption is not UTF-8, or if there is none.
    """
    found: list[str] = []
    broken = _collect(values, found)
    if broken:
        problems.append(Problem.CAPTION_NOT_UTF8)
    elif not found:
        problems.append(Problem.MISSING_CAPTION)
    return tuple(found)


def captions_beside(
    json_bytes: Callable[[], bytes] | None,
    text_bytes: Callable[[], bytes] | None,
    caption_keys: Sequence[str],
    problems: list[Problem],
) -> tuple[str, ...]:
    """Captions of an image from the files beside it; each is read only if it is needed.

    Each gives MAX_BESIDE_BYTES at most. All strings under `caption_keys` (if none is chosen, under `captions`) in the
    JSON; without those the text file; without that the JSON's `caption`.
    """
    record = decode_object(json_bytes()) if json_bytes else {}
    if record is None:
        problems.append(Problem.BROKEN_JSON)
        record = {}
    found: list[str] = []
    _collect([record.get(key) for key in caption_keys or _CAPTION_LISTS], found)
    if not found and text_bytes and _collect([_whole_words(text_bytes())], found):
        problems.append(Problem.CAPTION_NOT_UTF8)
    if not found:
        _collect([record.get("caption")], found)
    if not found and Problem.CAPTION_NOT_UTF8 not in problems:
        problems.append(Problem.MISSING_CAPTION)
    return tuple(found)


def _whole_words(text: bytes) -> bytes:
    """Text that was cut somewhere, cut at a space; no letter of UTF-8 has one in it."""
    return text.rpartition(b" ")[0] if len(text) == MAX_BESIDE_BYTES else text


def text_of(value: object) -> str | None:
    """Text that can be written down: no bytes that are not UTF-8, no half surrogates; None for all else."""
    try:
        if isinstance(value, bytes):
            return value.decode()
        return value.encode().decode() if isinstance(value, str) else None
    except UnicodeError:
        return None


def _collect(values: Iterable[object], found: list[str]) -> bool:
    """Append the captions in `values` to `found`; True if one of them is not UTF-8."""
    broken = False
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, bytes):
            try:
                found.append(value.decode())
            except UnicodeDecodeError:
                broken = True
        elif isinstance(value, list):
            # One level deep: lists in lists are nobody's captions.
            broken |= _collect((item for item in value if not isinstance(item, list)), found)
    return broken
