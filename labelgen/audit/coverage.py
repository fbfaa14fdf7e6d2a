"""Which classes of a benchmark a vocabulary has: exactly, nearly, by several classes together, or not.

Near is what WordNet's path similarity says, 1 / (1 + steps on the shortest way over a common hypernym), as in the
paper's Transfer Init (section 4.2), where a new class begins as the mean of the classifier rows of such classes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from labelgen.audit.classes import class_places
from labelgen.audit.targets import Target
from labelgen.meaning.atlas import Atlas
from labelshards.vocabulary import Vocabulary

EXACT, SIMILAR, SEVERAL, MISSING = MATCHES = ("exact", "similar", "several", "missing")
DEFAULT_ALPHA = 0.5  # one step away
# What is looked at, whatever is asked for, so that people see what another one would give.
SHOWN_ALPHAS = (1.0, 0.5, 1 / 3, 0.25)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A class of the vocabulary that stands for a target."""

    class_id: int
    synset: str
    wnid: str
    support: int
    similarity: float


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One target. `classes`: those that stand for it, all alike; of one that is missing the nearest, if any is near.

    match: EXACT or SIMILAR, one class; SEVERAL, the mean of so many; MISSING, none is similar enough.
    """

    target: str
    synsets: list[str]
    match: str
    similarity: float
    classes: list[Match]


def cover(vocab: Vocabulary, targets: Sequence[Target], atlas: Atlas, alpha: float = DEFAULT_ALPHA) -> list[Covered]:
    """Find for each target the classes nearest to it. alpha: the least path similarity, in 0 … 1 (exclusive of 0)."""
    near = Nearness(class_places(vocab, atlas), atlas, _steps(min(alpha, *SHOWN_ALPHAS)))
    synsets, wnids, support = vocab.synsets, vocab.wnids, vocab.support
    found = []
    for target in targets:
        steps, classes = near.nearest(target.places)
        similarity = 1 / (1 + steps + target.steps) if classes else 0.0
        matches = [
            Match(
                class_id=each,
                synset=synsets[each],
                wnid=wnids[each],
                support=int(support[each]),
                similarity=round(similarity, 4),
            )
            for each in classes
        ]
        is_covered = similarity >= alpha - 1e-9  # both are quotients, and may differ in their last bits
        match = MISSING if not is_covered else SEVERAL if len(classes) > 1 else EXACT if similarity == 1 else SIMILAR
        found.append(
            Covered(
                target=target.name,
                synsets=[atlas.names[place] for place in target.places],
                match=match,
                similarity=round(similarity, 4),
                classes=matches,
            )
        )
    return found


def covered_at(found: Iterable[Covered], alphas: Sequence[float] = SHOWN_ALPHAS) -> dict[float, int]:
    """Similarity → how many targets have a class of at least that one: the paper's Fig. 2b."""
    similarities = np.array([each.similarity for each in found])
    # Similarities were rounded to four digits, and 1/3 was not.
    return {alpha: int((similarities >= alpha - 1e-3).sum()) for alpha in alphas}


def _steps(alpha: float) -> int:
    """The longest way that has a similarity of `alpha` or more."""
    return int(1 / alpha + 1e-9) - 1  # a quotient may fall short of a whole number


class Nearness:
    """The classes near any place, found from their common hypernyms."""

    def __init__(self, places: np.ndarray, atlas: Atlas, most_steps: int) -> None:
        """places: int64 [K], of the classes, or -1. most_steps: those that are farther away are not found."""
        self._atlas = atlas
        self._most_steps = most_steps
        # Of each hypernym the classes nearest below it: only those can end a shortest way.
        self._below: dict[int, tuple[int, list[int]]] = {}
        by_steps: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for class_id, place in enumerate(places.tolist()):
            for above, steps in atlas.above(place, most_steps).items() if place >= 0 else ():
                by_steps[above][steps].append(class_id)
        for above, classes in by_steps.items():
            fewest = min(classes)
            self._below[above] = fewest, classes[fewest]

    def nearest(self, places: Sequence[int]) -> tuple[int, list[int]]:
        """(steps, class ids, rising) of the classes nearest to any of some places; (0, []) if none is near."""
        best, found = self._most_steps + 1, set[int]()
        for place in places:
            for above, up in self._atlas.above(place, self._most_steps).items():
                down, classes = self._below.get(above, (self._most_steps, []))
                if not classes or up + down > best:
                    continue
                if up + down < best:
                    best, found = up + down, set()
                found.update(classes)
        found = found if best <= self._most_steps else set()
        return best if found else 0, sorted(found)
