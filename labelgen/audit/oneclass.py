"""One class from all sides: what it is, what gave it, what comes with it, and what stands around it in WordNet."""

import msgspec
import numpy as np

from labelgen.atlas import Atlas
from labelgen.audit.associates import Associate, associates
from labelgen.audit.classes import class_places, class_table
from labelshards import schema
from labelshards.labelset import LabelSet

_ASSOCIATES = 12
_TERMS = 12


class Term(msgspec.Struct, frozen=True):
    """A term that gave the class in `count` samples, with a few of their captions."""

    term: str
    count: int
    captions: list[str]


class Neighbour(msgspec.Struct, frozen=True):
    """A synset near a class. `class_id` and `support` are null where it is no class itself; below: classes under it."""

    synset: str
    class_id: int | None
    support: int | None
    below: int


class OneClass(msgspec.Struct, frozen=True, kw_only=True):
    """path: names from WordNet's root to the class; above, beside, below: its hypernyms, their other kinds, its kinds.

    associates: closest first, with their synsets.
    """

    class_id: int
    synset: str
    wnid: str
    family: str
    lemmas: list[str]
    gloss: str
    lexname: str
    support: int
    share: float | None
    ambiguity: float | None
    other_sense: str | None
    flags: list[str]
    path: list[str]
    terms: list[Term]
    more_terms: int
    associates: list[tuple[str, Associate]]
    above: list[Neighbour]
    beside: list[Neighbour]
    below: list[Neighbour]


def describe(label_set: LabelSet, atlas: Atlas, support: np.ndarray, class_id: int) -> OneClass:
    """All that is known of one class. `support`: [K], as totals.support_here has it."""
    vocab = label_set.vocabulary
    row = class_table(label_set, atlas).slice(class_id, 1).to_pylist()[0]
    places = class_places(vocab, atlas)
    place = int(places[class_id])
    terms = _terms(label_set, class_id)
    around = _Around(atlas, places, vocab.support)
    above = atlas.hypernyms.row(place).tolist() if place >= 0 else []
    beside = {each for parent in above for each in atlas.kinds.row(parent).tolist()} - {place}
    below = atlas.kinds.row(place).tolist() if place >= 0 else []
    return OneClass(
        **{name: row[name] for name in OneClass.__struct_fields__ if name in row and name != "terms"},
        path=[atlas.names[each] for each in atlas.path(place)] if place >= 0 else [],
        terms=terms[:_TERMS],
        more_terms=len(terms[_TERMS:]),
        associates=[
            (vocab.synsets[each.class_id], each) for each in associates(label_set, class_id, support, _ASSOCIATES)
        ],
        above=around.neighbours(above),
        beside=around.neighbours(sorted(beside)),
        below=around.neighbours(below),
    )


def _terms(label_set: LabelSet, class_id: int) -> list[Term]:
    if schema.EXAMPLES_NAME not in label_set.manifest.files:
        return []
    table = label_set.examples()
    first, last = np.searchsorted(table["class_id"].to_numpy(), [class_id, class_id + 1])
    rows = table.slice(first, last - first).to_pylist()
    return [Term(row["term"], row["count"], row["captions"]) for row in rows]


class _Around:
    """Synsets as a label set has them."""

    def __init__(self, atlas: Atlas, places: np.ndarray, support: np.ndarray) -> None:
        """places: int64 [K], of the classes, or -1."""
        self._atlas, self._support = atlas, support
        self._classes = np.full(len(atlas.ids), -1)
        known = np.flatnonzero(places >= 0)[::-1]  # of two classes at one place, the more frequent
        self._classes[places[known]] = known
        self._is_class = self._classes >= 0

    def neighbours(self, places: list[int]) -> list[Neighbour]:
        """Those that are classes or have any below them, most frequent first."""
        found = []
        for place in places:
            class_id = int(self._classes[place])
            below = int((self._atlas.below(place) & self._is_class).sum()) - (class_id >= 0)
            if class_id >= 0 or below:
                support = int(self._support[class_id]) if class_id >= 0 else None
                found.append(Neighbour(self._atlas.names[place], class_id if class_id >= 0 else None, support, below))
        return sorted(found, key=lambda each: (-(each.support or 0), -each.below))
