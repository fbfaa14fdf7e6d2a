"""The classes of a vocabulary that stand for the classes of some data, as far as WordNet reaches.

As `labelshards.matching`, and where that ends: the kinds of a class, what it is a kind of, its neighbours.
"""

from collections.abc import Sequence

from labelgen.audit.classes import class_places
from labelgen.audit.coverage import Nearness
from labelgen.audit.targets import Target, find_targets
from labelgen.meaning.atlas import Atlas
from labelshards import matching
from labelshards.matching import EXACT, HYPERNYM, HYPONYMS, NONE, SIMILAR, SYNONYM, Match, plain
from labelshards.vocabulary import Vocabulary

# Four steps: a golden retriever is a dog. Farther away WordNet has names for nearly everything.
MOST_STEPS = 4


def match_names(names: Sequence[str], vocabulary: Vocabulary, atlas: Atlas) -> list[Match]:
    """A match for each name, in their order: names mean what captions mean by them.

    What WordNet has not (pairs of words, a vocabulary of other words) is matched by the vocabulary's own names.
    """
    finder = _Finder(vocabulary, atlas)
    found = [finder.match(target) for target in find_targets(names, atlas)]
    by_name = matching.match_names(names, vocabulary)
    return [own if match.kind == NONE else match for match, own in zip(found, by_name, strict=True)]


class _Finder:
    def __init__(self, vocabulary: Vocabulary, atlas: Atlas) -> None:
        self._vocabulary = vocabulary
        self._atlas = atlas
        places = class_places(vocabulary, atlas)
        places[["+" in wnid for wnid in vocabulary.wnids]] = -1  # a pair ("red car") is not its noun
        self._class_at = {place: class_id for class_id, place in enumerate(places.tolist()) if place >= 0}
        self._near = Nearness(places, atlas, MOST_STEPS)

    def match(self, target: Target) -> Match:
        """The first that there is of: the class itself, its kinds, what it is a kind of, its neighbours."""
        name, vocabulary = target.name, self._vocabulary
        own = [self._class_at[place] for place in target.places if place in self._class_at]
        if own and not target.steps:
            # The lowest id is the most frequent class.
            return Match.of(name, self._kind_of_name(name, min(own)), [min(own)], vocabulary)
        for place in target.places if not target.steps else ():
            if below := self._below(place):
                return Match.of(name, HYPONYMS, list(below), vocabulary, min(below.values()))
        above = [found for place in target.places if (found := self._above(place)) is not None]
        if above:
            steps, class_id = min(above)
            if steps + target.steps <= MOST_STEPS:
                return Match.of(name, HYPERNYM, [class_id], vocabulary, steps + target.steps)
        steps, classes = self._near.nearest(target.places)
        if classes and steps + target.steps <= MOST_STEPS:
            return Match.of(name, SIMILAR, classes, vocabulary, steps + target.steps)
        return Match(name=name)

    def _kind_of_name(self, name: str, class_id: int) -> str:
        vocabulary = self._vocabulary
        ids = (vocabulary.wnids[class_id], vocabulary.synsets[class_id], plain(vocabulary.lemmas[class_id][0]))
        return EXACT if name in ids or ids[-1] in map(plain, name.split(",")) else SYNONYM

    def _below(self, place: int) -> dict[int, int]:
        """Class id → steps down to it: of the classes below, those with no other one in between."""
        found: dict[int, int] = {}
        level, seen, steps = [place], {place}, 0
        while level:
            steps += 1
            kinds = {kind for at in level for kind in self._atlas.kinds.row(at).tolist()} - seen
            seen |= kinds
            found |= {self._class_at[kind]: steps for kind in kinds if kind in self._class_at}
            level = [kind for kind in kinds if kind not in self._class_at]
        return found

    def _above(self, place: int) -> tuple[int, int] | None:
        """(steps, class id) of the nearest class that this is a kind of."""
        near = self._atlas.above(place, MOST_STEPS).items()
        return min(((steps, self._class_at[at]) for at, steps in near if at in self._class_at), default=None)
