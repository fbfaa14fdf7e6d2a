"""Which spatial words are true of two things in a scene. Geometry only: the words are said in captions.py."""

from collections.abc import Callable, Sequence

from samplegen.things import Thing, covered, gap_below

_SLIGHTLY = 0.02  # of the picture's side: the eye calls this touching
_NEAR = 0.15  # of the picture's side
_VISIBLY = 0.08  # of what is behind


def true_relations(subjects: Sequence[Thing], others: Sequence[Thing]) -> list[str]:
    """The phrases p for which "subjects p others" holds for each pair, in a fixed order."""
    return [
        phrase
        for phrase, holds in _RELATIONS.items()
        if all(holds(subject, other) for subject in subjects for other in others)
    ]


def _left_of(a: Thing, b: Thing) -> bool:
    return a.box[2] <= b.box[0] + _SLIGHTLY and b.x - a.x > abs(b.y - a.y)


def _above(a: Thing, b: Thing) -> bool:
    return a.box[3] <= b.box[1] + _SLIGHTLY and b.y - a.y > abs(b.x - a.x)


def _on_top_of(a: Thing, b: Thing) -> bool:
    gap = gap_below(a, b)
    return gap is not None and abs(gap) <= _SLIGHTLY and a.box[3] <= b.y and abs(a.x - b.x) <= b.width / 4


def _next_to(a: Thing, b: Thing) -> bool:
    gap = max(a.box[0] - b.box[2], b.box[0] - a.box[2])
    return -_SLIGHTLY <= gap <= _NEAR and abs(a.y - b.y) <= max(a.height, b.height) / 2


def _near(a: Thing, b: Thing) -> bool:
    gap = max(a.box[0] - b.box[2], b.box[0] - a.box[2], a.box[1] - b.box[3], b.box[1] - a.box[3])
    return -_SLIGHTLY <= gap <= _NEAR


def _in_front_of(a: Thing, b: Thing) -> bool:
    return a.depth > b.depth and covered(b, a) >= _VISIBLY


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
