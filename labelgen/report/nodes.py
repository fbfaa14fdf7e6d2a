"""The part of WordNet that classes span, as a tree: each synset below its first hypernym."""

import numpy as np

from labelgen.atlas import Atlas
from labelgen.report.data import Nodes
from labelgen.wordnet import Pos

_ROOTS = {Pos.VERB: "verbs", Pos.ADJECTIVE: "adjectives"}
_ELSEWHERE = "not in WordNet"


def nodes(places: np.ndarray, atlas: Atlas) -> tuple[Nodes, list[int]]:
    """(the tree, the node of each class). places: int64 [K], of the classes in the atlas, or -1.

    Verbs and adjectives have many roots; they are put under one node each.
    """
    tree = Nodes([], [])
    node_of: dict[int | str, int] = {}

    def add(key: int | str, name: str, parent: int) -> int:
        if key not in node_of:
            node_of[key] = len(tree.name)
            tree.name.append(name)
            tree.parent.append(parent)
        return node_of[key]

    found = []
    for place in places.tolist():
        if place in node_of:
            found.append(node_of[place])
        elif place < 0:
            found.append(add(_ELSEWHERE, _ELSEWHERE, -1))
        else:
            root = _ROOTS.get(Pos(int(atlas.ids[place]) // 100_000_000))
            at = -1 if root is None else add(root, root, -1)
            for each in atlas.path(place):
                at = add(each, atlas.names[each], at)
            found.append(at)
    return tree, found
