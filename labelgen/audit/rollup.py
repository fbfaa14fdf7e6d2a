"""A vocabulary's hierarchy: the hypernyms of its classes that say something of their own."""

import numpy as np

from labelgen.arrays.ragged import offsets
from labelgen.audit.classes import class_places
from labelgen.meaning.atlas import Atlas
from labelshards.hierarchy import Hierarchy
from labelshards.vocabulary import Vocabulary

# A hypernym of more than this share of all classes ("entity") says next to nothing of a picture.
_WIDEST = 0.5


def hierarchy_of(vocabulary: Vocabulary, atlas: Atlas) -> Hierarchy:
    """What stands above each class, and above the noun of a compound; a class that is itself such a hypernym, too.

    Left out are hypernyms with one class alone, which are that class in other words; those of more than half of all
    classes; and of several with the same classes all but the lowest.
    """
    places = class_places(vocabulary, atlas).tolist()
    paths = [list(atlas.above(place)) if place >= 0 else [] for place in places]  # level by level
    below: dict[int, list[int]] = {}
    for class_id, path in enumerate(paths):
        for place in path:
            below.setdefault(place, []).append(class_id)
    lowest: dict[tuple[int, ...], int] = {}
    for place, classes in below.items():
        if 1 < len(classes) <= _WIDEST * len(paths):
            lowest.setdefault(tuple(classes), place)  # paths go up, so the lowest comes first
    kept = {place: number for number, place in enumerate(sorted(lowest.values()))}
    rows = [[kept[place] for place in path if place in kept] for path in paths]
    return Hierarchy(
        synsets=tuple(atlas.names[place] for place in kept),
        words=tuple(str(atlas.lemmas[place][0]).replace("_", " ") for place in kept),
        offsets=offsets(np.array([len(row) for row in rows], np.int64)),
        values=np.array([number for row in rows for number in row], np.int64),
    )
