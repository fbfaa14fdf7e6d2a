"""The part of WordNet that classes span: a tree of first hypernyms, and the other ways up."""

import numpy as np

from labelgen.meaning.atlas import Atlas
from labelgen.report.data import Nodes

# By the letter in a synset's name; adjectives are heads or satellites.
_ROOTS = {"v": "verbs", "a": "adjectives", "s": "adjectives"}
_ELSEWHERE = "not in WordNet"


def nodes(places: np.ndarray, atlas: Atlas) -> tuple[Nodes, list[int]]:
    """(the nodes, the node of each class). places: int64 [K], of the classes in the atlas, or -1.

    Verbs and adjectives have many roots; they are put under one node each.
    """
    span = _Span(atlas)
    found = [span.put(place) if place >= 0 else span.add(_ELSEWHERE, -1) for place in places.tolist()]
    return Nodes(span.name, span.parent, span.others), found


class _Span:
    """Nodes as they are met; a node comes after the one above it."""

    def __init__(self, atlas: Atlas) -> None:
        self.name: list[str] = []
        self.parent: list[int] = []
        self.others: list[tuple[int, int]] = []
        self._atlas = atlas
        self._known: dict[int, int] = {}
        self._by_name: dict[str, int] = {}

    def add(self, name: str, parent: int) -> int:
        """A node, unless there is one of that name."""
        if name not in self._by_name:
            self._by_name[name] = len(self.name)
            self.name.append(name)
            self.parent.append(parent)
        return self._by_name[name]

    def put(self, place: int) -> int:
        """The node of a synset, and before it those of all that stand above."""
        if place not in self._known:
            above = [self.put(each) for each in self._atlas.hypernyms.row(place).tolist()]
            if not above:
                root = _ROOTS.get(self._atlas.names[place].rsplit(".", 2)[1])
                above = [-1 if root is None else self.add(root, -1)]
            self._known[place] = self.add(self._atlas.names[place], above[0])
            self.others += [(self._known[place], each) for each in above[1:]]
        return self._known[place]
