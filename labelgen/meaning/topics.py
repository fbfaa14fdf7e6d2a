"""What a sense is spoken of together with, as far as WordNet itself tells it: words of its glosses and relatives.

Each synset has a sparse vector over words: its lemmas and gloss, those of what it is a kind of, its parts and wholes,
its field, its kinds and siblings, weighted by nearness and rarity. Senses that belong together have similar ones.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import Rows, contains, distinct, offsets, rank_in_row
from labelgen.dictionary.glosses import Glosses, read_glosses
from labelgen.dictionary.relations import Relations
from labelgen.dictionary.wordnet import Pos, synset_id
from labelgen.meaning.relatives import Weighted
from labelgen.meaning.senses import Senses

# Weights of a relative's lemmas and gloss words, by what kind of relative it is.
_OWN, _KIND_OF, _PART, _FIELD, _DERIVED, _KINDS, _SIBLINGS = 1.0, 1.0, 0.8, 1.5, 0.5, 0.4, 0.25
_GLOSS, _GLOSS_ABOVE, _GLOSS_NEAR, _GLOSS_DERIVED = 1.0, 0.5, 0.15, 0.3
_PER_STEP_UP = 0.7  # times so much, what is said of a hypernym
# Beyond so many kinds below it, a synset is so general that it says nothing ("entity", "artifact").
_GENERAL = 20_000
_LARGE_FAMILY = 10  # kinds; of more, each counts less (_share)
_MAX_RELATIVES = 40  # of one sort; more of them say little more, and some synsets have hundreds
_MAX_WORDS = 128  # of a synset, the strongest
_MAX_WORDS_BLENDED = 64  # of a word, which is spoken of as its likely senses are
_BACKGROUND_WORDS = 200
_NOUNS_END = synset_id(Pos.VERB, 0)
# So many synsets at once: their sums stay in the processor's cache.
_BATCH = 4_096


class _Spoken(NamedTuple):
    """Relatives of synsets, and how much their lemmas and their glosses count for each."""

    rows: np.ndarray
    relatives: np.ndarray
    lemmas: np.ndarray | float
    glosses: np.ndarray | float


class Topics:
    """Vectors of synsets, for many synsets at once."""

    def __init__(self, senses: Senses) -> None:
        self._senses = senses
        self.relations = Relations(senses.synsets)
        self.glosses: Glosses = read_glosses(senses.lexicon, senses.synsets)

    def of_synsets(self, synsets: np.ndarray) -> Weighted:
        """Vectors of length 1, of n synsets given by number, int64 [n]; empty where nothing is spoken of one.

        Words are int32 and rise, weights float32.
        """
        places = self.relations.places(synsets)
        batches = [self._of_places(places[at : at + _BATCH]) for at in range(0, len(places), _BATCH)]
        return joined(batches)

    def blend(self, vectors: Weighted, rows: np.ndarray, parts: np.ndarray, shares: np.ndarray, num: int) -> Weighted:
        """`num` weighted sums: row rows[i] has shares[i] of vector parts[i]; [n] each. Not of length 1."""
        asked, words = Rows(vectors.starts, vectors.words).expand(parts)
        weights = Rows(vectors.starts, vectors.weights).expand(parts)[1] * shares.astype(np.float32)[asked]
        of_row, words, sums = _summed(rows[asked], words, weights, self.glosses.num_words)
        return _strongest(of_row, words, sums.astype(np.float32), num, _MAX_WORDS_BLENDED)

    def background(self) -> list[str]:
        """Two hundred everyday nouns: what any sense is compared with, to tell a likeness from none."""
        frequent: Counter[str] = Counter()
        for (term, synset), count in self._senses.lexicon.counts().items():
            if synset < _NOUNS_END and synset in self._senses.synsets:
                frequent[term] += count
        ordered = sorted(frequent.items(), key=lambda item: (-item[1], item[0]))
        seen = (term for term, _ in ordered if self._senses.share_seen(term, Pos.NOUN) > 0.5)
        return [term for _, term in zip(range(_BACKGROUND_WORDS), seen, strict=False)]  # no more are looked at

    def _of_places(self, places: np.ndarray) -> Weighted:
        rows: list[np.ndarray] = []
        words: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        for spoken in self._spoken_of(places):
            for of_synset, each in ((self.glosses.lemmas, spoken.lemmas), (self.glosses.glosses, spoken.glosses)):
                weight = np.broadcast_to(each, spoken.relatives.shape)
                counting = np.flatnonzero(weight)
                asked, found = of_synset.expand(spoken.relatives[counting])
                rows.append(spoken.rows[counting][asked])
                words.append(found)
                weights.append(weight[counting][asked])
        of_row, found, sums = _summed(
            np.concatenate(rows), np.concatenate(words), np.concatenate(weights), self.glosses.num_words
        )
        raw = np.log1p(2 * sums) * self.glosses.rarity[found]
        vectors = _strongest(of_row, found, raw, len(places), _MAX_WORDS)
        lengths = np.repeat(np.arange(len(places)), np.diff(vectors.starts))
        norms = np.sqrt(np.bincount(lengths, vectors.weights**2, len(places)))
        scaled = vectors.weights / np.where(norms > 0, norms, 1.0)[lengths]
        return vectors._replace(words=vectors.words.astype(np.int32), weights=scaled.astype(np.float32))

    def _spoken_of(self, places: np.ndarray) -> Iterator[_Spoken]:
        """All relatives that say something about each synset."""
        relations = self.relations
        own = np.arange(len(places))
        yield _Spoken(own, places, _OWN, _GLOSS)
        yield _Spoken(*relations.derived.expand(places), _DERIVED, _GLOSS_DERIVED)
        rows, kinds = relations.kinds.expand(places, _MAX_RELATIVES)
        share = _share(relations.kinds.lengths[places])[rows]
        yield _Spoken(rows, kinds, _KINDS * share, _GLOSS_NEAR * share)
        yield self._siblings(places)
        yield from self._above(places)

    def _siblings(self, places: np.ndarray) -> _Spoken:
        """The other kinds of what each synset is a kind of."""
        rows, parents = self.relations.hypernyms.expand(places)
        family, siblings = self.relations.kinds.expand(parents, _MAX_RELATIVES + 1)  # one more, as it is among them
        others = siblings != places[rows][family]
        family, siblings = family[others], siblings[others]
        kept = rank_in_row(family) < _MAX_RELATIVES
        share = _share(self.relations.kinds.lengths[parents] - 1)
        return _Spoken(rows[family[kept]], siblings[kept], _SIBLINGS * share[family[kept]], 0.0)

    def _above(self, places: np.ndarray) -> Iterator[_Spoken]:
        """Step by step up: parts and fields of each synset met, and what it is a kind of."""
        relations = self.relations
        num = len(relations.ids)
        rows, at = np.arange(len(places)), places
        met = rows * num + at
        step = 0
        while len(rows):
            decay = _PER_STEP_UP**step
            found, parts = relations.parts.expand(at, _MAX_RELATIVES)
            yield _Spoken(rows[found], parts, _PART * decay, _GLOSS_NEAR * (step == 0))
            found, fields = relations.topics.expand(at)
            yield _Spoken(rows[found], fields, _FIELD * decay, _GLOSS_NEAR)
            found, above = relations.hypernyms.expand(at)
            reached = distinct(rows[found] * num + above)
            # Once, by the shortest of the ways that lead to it.
            new = reached[~contains(met, reached)]
            met = np.sort(np.concatenate([met, new]))
            rows, at = np.divmod(new, num)
            step += 1
            # From 1, for what has nothing below it, to 0 for what is general.
            special = np.maximum(0.0, 1 - np.log(relations.size[at]) / math.log(_GENERAL))
            yield _Spoken(rows, at, _KIND_OF * special * decay, _GLOSS_ABOVE * special * (step <= 2))


def _summed(
    rows: np.ndarray, words: np.ndarray, weights: np.ndarray, num_words: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, words, float64 sums): each (row, word) once, by row and then by word."""
    keys, places = np.unique(rows * num_words + words, return_inverse=True)
    of_row, of_word = np.divmod(keys, num_words)
    return of_row, of_word, np.bincount(places, weights, len(keys))


def _strongest(rows: np.ndarray, words: np.ndarray, weights: np.ndarray, num_rows: int, at_most: int) -> Weighted:
    """The entries with the largest weights of each row, in the order of the words; of equals the first words.

    `rows` rise, and no weight is negative.
    """
    lengths = np.bincount(rows, minlength=num_rows)
    # Bits of floats that are not negative rise with them, so one sort of whole numbers orders rows and weights. As
    # float32, what is equal but for the rounding of a sum stays equal.
    keys = (rows.astype(np.uint64) << np.uint64(32)) | ~weights.astype(np.float32).view(np.uint32)
    long = np.flatnonzero(lengths > at_most)
    last = np.full(num_rows, np.iinfo(np.uint64).max)
    last[long] = np.sort(keys)[offsets(lengths)[long] + at_most - 1]
    last_of_row = last[rows]
    kept = keys < last_of_row
    room = at_most - np.bincount(rows[kept], minlength=num_rows)
    equal = np.flatnonzero(keys == last_of_row)
    kept[equal[rank_in_row(rows[equal]) < room[rows[equal]]]] = True
    return Weighted(offsets(np.bincount(rows[kept], minlength=num_rows)), words[kept], weights[kept])


def joined(batches: Sequence[Weighted]) -> Weighted:
    """The vectors of all batches, one after another."""
    lengths = [np.diff(batch.starts) for batch in batches]
    return Weighted(
        offsets(np.concatenate([np.empty(0, np.int64), *lengths])),
        np.concatenate([np.empty(0, np.int32), *(batch.words for batch in batches)]),
        np.concatenate([np.empty(0, np.float32), *(batch.weights for batch in batches)]),
    )


def _share(number: np.ndarray) -> np.ndarray:
    """How much each of so many relatives counts: a large family says less of each."""
    share: np.ndarray = np.minimum(1.0, np.sqrt(_LARGE_FAMILY / np.maximum(number, 1)))
    return share
