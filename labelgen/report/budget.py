"""How much of a page is for captions and for pictures, so that it can be sent and opened."""

from typing import NamedTuple

_PAGE_BYTES = 25_000_000
# As measured, packed: plotly; names, gloss and place of a class; its terms and associates in one label set.
_PLOTLY_BYTES = 2_000_000
_CLASS_BYTES = 95
_TOLD_BYTES = 115
_PACKED = 0.6  # of the bytes of captions
_CAPTION_BYTES = 12_000_000
_LEAST_PICTURES, _MOST_PICTURES = 2_000_000, 12_000_000


class Budget(NamedTuple):
    """caption_bytes: for the captions of one class in one label set, unpacked; picture_bytes: for all pictures."""

    caption_bytes: int
    picture_bytes: int


def budget(num_classes: int, num_told: int, *, with_pictures: bool) -> Budget:
    """num_classes: rows of the table; num_told: the classes of each label set, added up."""
    left = _PAGE_BYTES - _PLOTLY_BYTES - _CLASS_BYTES * num_classes - _TOLD_BYTES * num_told
    pictures = _LEAST_PICTURES if with_pictures else 0
    captions = max(0, min(_CAPTION_BYTES, int((left - pictures) / _PACKED)))
    left -= int(captions * _PACKED)
    return Budget(captions // max(1, num_told), max(0, min(_MOST_PICTURES, left)))
