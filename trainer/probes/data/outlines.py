"""Outlines of objects as COCO writes them, looked at before pycocotools takes them: its C code trusts what it is given.

Shapes: a picture of H x W pixels.
"""

from itertools import chain

import msgspec

_FEWEST_NUMBERS = 6  # three corners
_MOST_GROUPS = 7  # of five bits, in one number
_BITS, _MORE, _NEGATIVE = 5, 0x20, 0x10


class _Runs(msgspec.Struct):
    """Lengths of runs of pixels, outside and inside in turn, column after column; as numbers, or in COCO's text."""

    size: tuple[int, int]
    counts: list[int] | str


_DECODER = msgspec.json.Decoder(list[list[float]] | _Runs)


def is_outline(data: bytes, size: tuple[int, int]) -> bool:
    """True if the JSON in `data` outlines something in a picture of `size` (H, W).

    Polygons have three corners or more, none further away than the picture is large; runs cover all pixels, each once.
    """
    try:
        found = _DECODER.decode(data)
    except (ValueError, RecursionError):
        return False
    if isinstance(found, _Runs):
        counts = _numbers(found.counts) if isinstance(found.counts, str) else found.counts
        return found.size == size and min(counts, default=-1) >= 0 and sum(counts) == size[0] * size[1]
    corners = list(chain.from_iterable(found))
    furthest = max(size)
    return (
        all(len(polygon) >= _FEWEST_NUMBERS and len(polygon) % 2 == 0 for polygon in found)
        and min(corners, default=-furthest - 1) >= -furthest
        and max(corners) <= 2 * furthest
    )


def _numbers(text: str) -> list[int]:
    """The lengths in COCO's text: groups of five bits, the lowest first; from the fourth on, less those two before."""
    numbers: list[int] = []
    number = groups = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 2 * _MORE or groups >= _MOST_GROUPS:
            return []
        number |= (code & (_MORE - 1)) << (_BITS * groups)
        groups += 1
        if not code & _MORE:
            number -= (code & _NEGATIVE > 0) << (_BITS * groups)
            numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
            number = groups = 0
    return [] if groups else numbers
