"""One class from all sides: what it is, what gave it, what comes with it, and what stands around it in WordNet."""

from collections.abc import Iterable

import msgspec
import numpy as np

from labelgen.audit.associates import Associate, associates
from labelgen.audit.classes import class_places, class_table
from labelgen.meaning.atlas import Atlas
from labelshards.labelset import LabelSet

_ASSOCIATES = 12
_TERMS = 12


class Term(msgspec.Struct, frozen=True):
    """A term that gave the class, with a few captions. count: samples, those with two forms of the term twice."""

    term: str
    count: int
    captions: list[str]


class Neighbour(msgspec.Struct, frozen=True):
    """A synset near a class. `class_id` and `support` are null where it is no class itself; below: classes under it."""

    synset: str
    class_id: int | None
    support: int | None
    below: int


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """Where a class stands in WordNet: names from the root down to it; its hypernyms, their other kinds, its kinds."""

    path: list[str]
    above: list[Neighbour]
    beside: list[Neighbour]
    below: list[Neighbour]


class OneClass(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the class table, the terms that gave it, and classes that come with it, closest first, by name."""

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
    terms: list[Term]
    more_terms: int
    associates: list[tuple[str, Associate]]
    around: Around


def describe(label_set: LabelSet, atlas: Atlas | None, support: np.ndarray, class_id: int) -> OneClass:
    """All that is known of one class; without an atlas, no neighbours. `support`: [K], of totals.support_here."""
    vocab = label_set.vocabulary
    row = class_table(label_set, atlas).slice(class_id, 1).to_pylist()[0]
    terms = _terms(label_set, class_id)
    around = _NOTHING if atlas is None else _around(atlas, class_places(vocab, atlas), vocab.support, class_id)
    return OneClass(
        **{name: row[name] for name in OneClass.__struct_fields__ if name in row and name != "terms"},
        terms=terms[:_TERMS],
        more_terms=len(terms[_TERMS:]),
        associates=[
            (vocab.synsets[each.class_id], each) for each in associates(label_set, class_id, support, _ASSOCIATES)
        ],
        around=around,
    )


def _terms(label_set: LabelSet, class_id: int) -> list[Term]:
    table = label_set.examples()
    first, last = np.searchsorted(table["class_id"].to_numpy(), [class_id, class_id + 1])
    rows = table.slice(first, last - first).to_pylist()
    return [Term(row["term"], row["count"], row["captions"]) for row in rows]


_NOTHING = Around(path=[], above=[], beside=[], below=[])


def _around(atlas: Atlas, places: np.ndarray, support: np.ndarray, class_id: int) -> Around:
    """What WordNet tells. places: int64 [K], of the classes, or -1."""
    place = int(places[class_id])
    if place < 0:
        return _NOTHING
    above = atlas.hypernyms.row(place).tolist()
    beside = {each for parent in above for each in atlas.kinds.row(parent).tolist()} - {place}
    classes = np.full(len(atlas.ids), -1)
    known = np.flatnonzero(places >= 0)[::-1]  # of two classes at one place, the more frequent
    classes[places[known]] = known

    def neighbours(found: Iterable[int]) -> list[Neighbour]:
        """Those that are classes or have any below them, most frequent first."""
        told = []
        for each in found:
            number = int(classes[each])
            below = int((classes[atlas.below(each)] >= 0).sum()) - (number >= 0)
            if number >= 0:
                told.append(Neighbour(atlas.names[each], number, int(support[number]), below))
            elif below:
                told.append(Neighbour(atlas.names[each], None, None, below))
        return sorted(told, key=lambda one: (-(one.support or 0), -one.below))

    return Around(
        path=[atlas.names[each] for each in atlas.path(place)],
        above=neighbours(above),
        beside=neighbours(sorted(beside)),
        below=neighbours(atlas.kinds.row(place).tolist()),
    )
