"""The labels of all shards before any is pruned: as an earlier run kept them, or chosen now.

Senses are chosen for the families that are not there yet, and only for those.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from threading import Lock
from typing import TypeVar

import msgspec
import numpy as np

from labelgen import candidates
from labelgen.arrays.memory import collections_spared
from labelgen.arrays.ragged import Rows, distinct_pairs
from labelgen.candidates import Mentions
from labelgen.dictionary.hypernyms import Hypernyms
from labelgen.meaning import policies, resolved
from labelgen.meaning.resolve import NOTHING, Choice, Labels, Language, Produced, Resolver, make_resolver
from labelgen.meaning.resolved import ResolvedShard, pack_labels
from labelshards.schema import HYPERNYMS, NOUNS

# A million samples or so tell enough of a corpus, if they are taken from everywhere.
_STATISTICS_SHARDS = 100
_STATISTICS_SAMPLES = 1 << 20

_Part = TypeVar("_Part")


def counted_samples(folder: str, names: Sequence[str]) -> Iterator[Mentions]:
    """What tells which words a corpus has, and together: of so many shards as are told, so many samples of each.

    Raises CatlipError if candidates are gone or broken.
    """
    told = names[:: max(1, len(names) // _STATISTICS_SHARDS)]
    for name in told:
        yield candidates.read_mentions(folder, name).first(_STATISTICS_SAMPLES // len(told) + 1)


class Unpruned:
    """Shards `names` in the candidates' `folder`. Every method raises CatlipError if candidates are gone or broken."""

    def __init__(self, folder: str, names: Sequence[str], language: Language, choice: Choice) -> None:
        self._folder, self._names, self._language, self._choice = folder, names, language, choice
        self._keys = resolved.keys_of(folder, names, choice)
        self._hypernyms = Hypernyms(language.synsets, choice.hypernym_depth)
        self._resolver = cache(self._make_resolver)
        self._is_making = Lock()  # of the resolver, which threads share

    def key(self, family: str) -> str:
        """What decides the labels of a family."""
        return self._keys[family]

    def let_go(self) -> None:
        """Free what chooses senses: all are chosen. A shard whose labels are lost meanwhile has it made again."""
        self._resolver.cache_clear()

    def support(self, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Family → (int64 numbers, int64 samples that have each)."""
        return self._each(name, self._keys, resolved.read_support, lambda made: (made.numbers, made.support))

    def labels(self, name: str) -> dict[str, tuple[np.ndarray, Rows]]:
        """Family → (int64 numbers, places among them: a row a sample); a label may be in several families."""
        return self._each(name, self._keys, resolved.read_labels, lambda made: (made.numbers, made.labels))

    def produced(self, name: str, family: str) -> tuple[np.ndarray, Produced]:
        """(int64 numbers, which entries gave which of them) for one family."""
        found = self._each(name, [family], resolved.read_produced, lambda made: (made.numbers, made.produced))
        return found[family]

    def _each(
        self,
        name: str,
        families: Iterable[str],
        read: Callable[[str, str, str, str], _Part | None],
        part_of: Callable[[ResolvedShard], _Part],
    ) -> dict[str, _Part]:
        found = {family: read(self._folder, name, family, self._keys[family]) for family in families}
        missing = frozenset(family for family, part in found.items() if part is None)
        made = self._make(name, missing) if missing else {}
        return {family: part_of(made[family]) if part is None else part for family, part in found.items()}

    def _make(self, name: str, families: frozenset[str]) -> dict[str, ResolvedShard]:
        """Choose the labels of some families of one shard, and keep them."""
        made: dict[str, ResolvedShard] = {}
        if asked := families - {HYPERNYMS}:  # which are made of the nouns, and choose no sense
            with self._is_making:
                resolver = self._resolver(asked)
            chosen = resolver.resolve(candidates.read_mentions(self._folder, name))
            for family in asked:
                made[family] = pack_labels(chosen.num_rows, chosen.by_family[family], chosen.produced[family])
        if HYPERNYMS in families:
            nouns = made.get(NOUNS)
            numbers, labels = (
                (nouns.numbers, nouns.labels)
                if nouns
                else self._each(name, [NOUNS], resolved.read_labels, lambda each: (each.numbers, each.labels))[NOUNS]
            )
            made[HYPERNYMS] = self._widened(numbers, labels)
        for family, shard in made.items():
            resolved.write(self._folder, name, family, self._keys[family], shard)
        return made

    def _widened(self, numbers: np.ndarray, nouns: Rows) -> ResolvedShard:
        """The hypernyms with the nouns: what is counted for a synset is that synset or anything below it."""
        num_rows = len(nouns.starts) - 1
        rows, own = np.repeat(np.arange(num_rows), nouns.lengths), numbers[nouns.values]
        above = self._hypernyms.of(rows, own)
        both = (np.concatenate(each) for each in zip((rows, own), above, strict=True))
        return pack_labels(num_rows, Labels(*distinct_pairs(*both)), NOTHING)

    def _make_resolver(self, families: frozenset[str]) -> Resolver:
        with collections_spared():
            return make_resolver(
                (candidates.read_entries(self._folder, name) for name in self._names),
                counted_samples(self._folder, self._names) if self._choice.senses == policies.CONTEXT else (),
                self._language,
                # Thresholds prune later, and decide nothing here.
                msgspec.structs.replace(self._choice, families=dict.fromkeys(sorted(families), 0)),
            )
