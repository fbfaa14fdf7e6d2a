"""Which spatial words are true of two things in a scene. Geometry only: the words are said in captions.py."""

from collections.abc import Callable, Sequence

from samplegen.scenes import TOUCH, Thing, overlap

_CLEARLY = 0.02  # less than this beside each other or on top of each other is not worth a word


def true_relations(subjects: Sequence[Thing], others: Sequence[Thing]) -> list[str]:
    """The phrases p for which "subjects p others" holds for each pair, in a fixed order."""
    return [
        phrase
        for phrase, holds in _RELATIONS.items()
        if all(holds(subject, other) for subject in subjects for other in others)
    ]


def _left_of(a: Thing, b: Thing) -> bool:
    return a.box[2] <= b.box[0] + _CLEARLY and b.x - a.x > abs(b.y - a.y)


def _above(a: Thing, b: Thing) -> bool:
    return a.box[3] <= b.box[1] + _CLEARLY and b.y - a.y > abs(b.x - a.x)


def _on_top_of(a: Thing, b: Thing) -> bool:
    return abs(b.box[1] - a.box[3]) <= 2 * TOUCH and abs(a.x - b.x) <= b.half_width / 2


def _next_to(a: Thing, b: Thing) -> bool:
    gap = max(a.box[0] - b.box[2], b.box[0] - a.box[2])
    return -_CLEARLY <= gap <= 0.15 and abs(a.y - b.y) <= max(a.half_height, b.half_height)


def _near(a: Thing, b: Thing) -> bool:
    gap = max(a.box[0] - b.box[2], b.box[0] - a.box[2], a.box[1] - b.box[3], b.box[1] - a.box[3])
    return -_CLEARLY <= gap <= 0.15


def _in_front_of(a: Thing, b: Thing) -> bool:
    return a.depth > b.depth and overlap(a, b) >= 0.15


_RELATIONS: dict[str, Callable[[Thing, Thing], bool]] = {
    "to the left of": _left_of,
    "to the right of": lambda a, b: _left_of(b, a),
    "above": lambda a, b: _above(a, b) and not _on_top_of(a, b),
    "below": lambda a, b: _above(b, a),
    "on top of": _on_top_of,
    "next to": _next_to,
    "near": _near,
    "in front of": _in_front_of,
    "behind": lambda a, b: _in_front_of(b, a),
}
