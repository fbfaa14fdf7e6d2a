"""What a sense is spoken of together with, as far as WordNet itself tells it: words of its glosses and relatives.

Each synset has a sparse vector over words: its lemmas and gloss, those of what it is a kind of, its parts and wholes,
its field, its kinds and siblings, weighted by nearness and rarity. Senses that belong together have similar ones.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from labelgen.senses import Senses
from labelgen.wordnet import Pos

# Weights of a relative's lemmas and gloss words, by what kind of relative it is.
_OWN, _KIND_OF, _PART, _FIELD, _DERIVED, _KINDS, _SIBLINGS = 1.0, 1.0, 0.8, 1.5, 0.5, 0.4, 0.25
_GLOSS, _GLOSS_ABOVE, _GLOSS_NEAR, _GLOSS_DERIVED = 1.0, 0.5, 0.15, 0.3
_PER_STEP_UP = 0.7
# Beyond so many kinds below it, a synset is so general that it says nothing ("entity", "artifact").
_GENERAL = 20_000
_LARGE_FAMILY = 10
_MAX_RELATIVES = 40
_MAX_WORDS = 128
_MAX_WORDS_BLENDED = 64
_BACKGROUND_WORDS = 200
_RARITY_SAMPLE = 16

_WORD = re.compile(r"[a-z][a-z'-]{2,}")
_EMPTY_WORDS_TEXT = """
    about after all also and another any are because been before being between both but can could did does doing
    don done down each especially etc every few first for form from get give given had has have having her him
    his how into its just kind large made make makes making many may more most much new not off often old one
    only other our out over part same see she small some someone something such take than that the their them
    then there these they thing this those through two type under upon use used uses using usually very was way
    were what when where which while who whose with without would you your
"""
_EMPTY_WORDS = frozenset(_EMPTY_WORDS_TEXT.split())


class Vector(NamedTuple):
    """Sparse, of length 1 (or 0). words: int32 [n], rising; weights: float32 [n]."""

    words: np.ndarray
    weights: np.ndarray


class Topics:
    """Vectors of synsets and of words, made when they are asked for."""

    def __init__(self, senses: Senses) -> None:
        self._senses = senses
        self._synsets = senses.synsets
        self._ids: dict[str, int] = {}
        self._below: dict[int, list[int]] = defaultdict(list)
        for synset in self._synsets.values():
            for above in synset.hypernyms:
                self._below[above].append(synset.id)
        self.size = lru_cache(maxsize=None)(self._count_below)
        self._lemmas = lru_cache(maxsize=None)(self._read_lemmas)
        self._in_gloss = lru_cache(maxsize=None)(self._read_gloss)
        self._terms_of = lru_cache(maxsize=None)(self._look_up)
        self.of_synset = lru_cache(maxsize=None)(self._of_synset)
        self._rarity = self._count_words()

    def kinds(self, synset: int) -> list[int]:
        """The synsets right below."""
        return self._below.get(synset, [])

    def id_of(self, text: str) -> int:
        """The number of a word in the vectors."""
        return self._ids.setdefault(text, len(self._ids))

    @property
    def num_words(self) -> int:
        """Words numbered so far; vectors made later may hold more."""
        return len(self._ids)

    def blend(self, weighted: Iterable[tuple[int, float]]) -> Vector:
        """The mean of synsets' vectors; not of length 1."""
        vectors = [(self.of_synset(synset), weight) for synset, weight in weighted]
        if not vectors:
            return Vector(np.empty(0, np.int32), np.empty(0, np.float32))
        words = np.concatenate([vector.words for vector, _ in vectors])
        weights = np.concatenate([vector.weights * np.float32(weight) for vector, weight in vectors])
        unique, places = np.unique(words, return_inverse=True)
        return _strongest(unique, np.bincount(places, weights, len(unique)).astype(np.float32), _MAX_WORDS_BLENDED)

    def background(self) -> list[str]:
        """Two hundred everyday nouns: what any sense is compared with, to tell a likeness from none."""
        frequent: Counter[str] = Counter()
        for (term, synset), count in self._senses.lexicon.counts().items():
            if synset in self._synsets and self._synsets[synset].pos is Pos.NOUN:
                frequent[term] += count
        return [
            term for term, _ in sorted(frequent.items(), key=lambda item: (-item[1], item[0]))
            if self._senses.share_seen(term, Pos.NOUN) > 0.5
        ][:_BACKGROUND_WORDS]  # fmt: skip

    def _of_synset(self, identity: int) -> Vector:
        synset = self._synsets[identity]
        words = _Bag()
        self._add(words, (identity,), _OWN, _GLOSS)
        self._add(words, synset.derived, _DERIVED, _GLOSS_DERIVED)
        below = self.kinds(identity)
        self._add(words, below[:_MAX_RELATIVES], _KINDS * _share(len(below)), _GLOSS_NEAR * _share(len(below)))
        for parent in synset.hypernyms:
            family = [sibling for sibling in self.kinds(parent) if sibling != identity]
            self._add(words, family[:_MAX_RELATIVES], _SIBLINGS * _share(len(family)), 0.0)
        steps = {identity: 0}
        for at in (queue := [identity]):
            decay = _PER_STEP_UP ** steps[at]
            self._add(words, self._synsets[at].parts[:_MAX_RELATIVES], _PART * decay, _GLOSS_NEAR * (steps[at] == 0))
            self._add(words, self._synsets[at].topics, _FIELD * decay, _GLOSS_NEAR)
            for above in self._synsets[at].hypernyms:
                if above not in steps:
                    steps[above] = steps[at] + 1
                    queue.append(above)
                    special = max(0.0, 1 - math.log(self.size(above)) / math.log(_GENERAL))
                    self._add(words, (above,), _KIND_OF * special * decay, _GLOSS_ABOVE * special * (steps[above] <= 2))
        return self._vector(*words.sums())

    def _add(self, words: "_Bag", synsets: Iterable[int], lemmas: float, gloss: float) -> None:
        for synset in synsets:
            if lemmas:
                words.add(self._lemmas(synset), lemmas)
            if gloss:
                words.add(self._in_gloss(synset), gloss)

    def _vector(self, ids: np.ndarray, sums: np.ndarray) -> Vector:
        rarity = self._rarity
        weights = np.log1p(2 * sums) * np.array([rarity.get(word, 1.0) for word in ids.tolist()])
        strongest = _strongest(ids, weights, _MAX_WORDS)
        length = math.sqrt(float(strongest.weights @ strongest.weights)) or 1.0
        return Vector(strongest.words, (strongest.weights / length).astype(np.float32))

    def _count_words(self) -> dict[int, float]:
        """Word → how much it counts for its rarity, from the glosses of every sixteenth synset."""
        counts: Counter[int] = Counter()
        for number, synset in enumerate(self._synsets):
            if number % _RARITY_SAMPLE == 0:
                counts.update(set(self._in_gloss(synset)))
        total = len(self._synsets)
        return {
            word: (math.log(total / (1 + _RARITY_SAMPLE * count)) / math.log(total)) ** 2
            for word, count in counts.items()
        }

    def _read_lemmas(self, synset: int) -> list[int]:
        return [self.id_of(lemma.lower()) for lemma in self._synsets[synset].lemmas]

    def _read_gloss(self, synset: int) -> list[int]:
        """The words of a gloss, each at most twice."""
        words = _WORD.findall(self._synsets[synset].gloss.lower())
        return [
            term
            for word, times in Counter(words).items()
            if word not in _EMPTY_WORDS
            for term in self._terms_of(word) * min(times, 2)
        ]

    def _look_up(self, word: str) -> tuple[int, ...]:
        """The terms that a word of a gloss may stand for: noun, verb, adjective."""
        lexicon = self._senses.lexicon
        noun = lexicon.find(word, word.endswith("s"))
        found = [noun[0] if noun else None, lexicon.base(word, Pos.VERB), lexicon.base(word, Pos.ADJECTIVE)]
        return tuple({self.id_of(term): None for term in found if term})

    def _count_below(self, synset: int) -> int:
        return 1 + sum(self.size(kind) for kind in self.kinds(synset))


class _Bag:
    """Words with weights that add up."""

    def __init__(self) -> None:
        self._words: list[int] = []
        self._weights: list[float] = []

    def add(self, words: list[int], weight: float) -> None:
        self._words += words
        self._weights += [weight] * len(words)

    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """(int32 [n] words, rising; float64 [n] their weights)."""
        words, places = np.unique(np.array(self._words, np.int32), return_inverse=True)
        return words, np.bincount(places, self._weights, len(words))


def _strongest(words: np.ndarray, weights: np.ndarray, number: int) -> Vector:
    """The entries with the largest weights, in the order of the words."""
    if len(words) <= number:
        return Vector(words, weights)
    largest = np.sort(np.argpartition(-weights, number)[:number])
    return Vector(words[largest], weights[largest])


def _share(number: int) -> float:
    """How much each of `number` relatives counts: a large family says less of each."""
    return min(1.0, math.sqrt(_LARGE_FAMILY / number)) if number else 0.0
