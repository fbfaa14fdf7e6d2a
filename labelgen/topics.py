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
_BACKGROUND_WORDS = 200
_RARITY_SAMPLE = 8

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
        return Vector(unique, np.bincount(places, weights, len(unique)).astype(np.float32))

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
        words: dict[int, float] = defaultdict(float)
        synset = self._synsets[identity]
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
        return self._vector(words)

    def _add(self, words: dict[int, float], synsets: Iterable[int], lemmas: float, gloss: float) -> None:
        for synset in synsets:
            if lemmas:
                for lemma in self._synsets[synset].lemmas:
                    words[self.id_of(lemma.lower())] += lemmas
            if gloss:
                for word, times in self._in_gloss(synset):
                    words[word] += gloss * times

    def _vector(self, words: dict[int, float]) -> Vector:
        ids = np.fromiter(words, np.int32, len(words))
        weights = np.log1p(2 * np.fromiter(words.values(), np.float64, len(words)))
        weights *= np.array([self._rarity_of(word) for word in words]) ** 2
        if len(ids) > _MAX_WORDS:
            largest = np.argsort(-weights, kind="stable")[:_MAX_WORDS]
            ids, weights = ids[largest], weights[largest]
        order = np.argsort(ids)
        length = float(np.sqrt((weights**2).sum())) or 1.0
        return Vector(ids[order], (weights[order] / length).astype(np.float32))

    def _rarity_of(self, word: int) -> float:
        return math.log(len(self._synsets) / (1 + self._rarity.get(word, 0))) / math.log(len(self._synsets))

    def _count_words(self) -> dict[int, int]:
        """Word → in about how many synsets' glosses it stands, from every eighth synset."""
        counts: Counter[int] = Counter()
        for number, synset in enumerate(self._synsets):
            if number % _RARITY_SAMPLE == 0:
                counts.update(word for word, _ in self._in_gloss(synset))
        return {word: count * _RARITY_SAMPLE for word, count in counts.items()}

    def _read_gloss(self, synset: int) -> tuple[tuple[int, int], ...]:
        counts: Counter[int] = Counter()
        for word in _WORD.findall(self._synsets[synset].gloss.lower()):
            if word not in _EMPTY_WORDS:
                counts.update(self._terms_of(word))
        return tuple((word, min(times, 2)) for word, times in counts.items())

    def _look_up(self, word: str) -> tuple[int, ...]:
        """The terms that a word of a gloss may stand for: noun, verb, adjective."""
        lexicon = self._senses.lexicon
        noun = lexicon.find(word, word.endswith("s"))
        found = [noun[0] if noun else None, lexicon.base(word, Pos.VERB), lexicon.base(word, Pos.ADJECTIVE)]
        return tuple({self.id_of(term): None for term in found if term})

    def _count_below(self, synset: int) -> int:
        return 1 + sum(self.size(kind) for kind in self.kinds(synset))


def _share(number: int) -> float:
    """How much each of `number` relatives counts: a large family says less of each."""
    return min(1.0, math.sqrt(_LARGE_FAMILY / number)) if number else 0.0
