"""Terms of a sample → one sense for each: the policies `first`, `visual` and `context`.

`first` takes WordNet's order. `visual` takes the sense that a picture is likeliest to show. `context` adds the company
that the term keeps, in its sample and in the corpus, and asks less for what can be seen where the corpus speaks of
other things.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import Rows, offsets, rank_in_row, unique_rows
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning.company import Company
from labelgen.meaning.corpus import Corpus, word_of
from labelgen.meaning.senses import Candidate, Part, Senses
from labelgen.meaning.topics import Topics
from labelgen.mentions.terms import Role, Term

FIRST, VISUAL, CONTEXT = "first", "visual", "context"
NAMES = (FIRST, VISUAL, CONTEXT)

NONE = 0  # stands where a term has no sense

_MAX_SENSES = 6
# A sense that is so much less likely by itself is not weighed against company, in nats.
_OUT_OF_REACH = 5.0
_OVERALL_REACH = 1.5  # what the company in the whole corpus may add to that
# So many words of the company are heard, those that say most for the sense.
_HEARD = 3
# Captions speak of things and deeds in 50 to 75 of 100 words, newspapers in 30: below the first bound nothing is
# expected to be seen, above the second everything is.
_SPEAKS_OF_NOTHING, _SPEAKS_OF_THINGS = 0.33, 0.48
_MOSTLY = 0.5  # of that: below it, all of WordNet's senses are candidates
_FEWEST_SAMPLES = 100  # fewer say nothing about what a corpus speaks of


class Weighed(NamedTuple):
    """One candidate sense: what speaks for it by itself, and its company's words with what each says, in nats."""

    candidate: Candidate
    parts: list[Part]
    company: list[tuple[str, float]]

    @property
    def score(self) -> float:
        """Nats for this sense, all in all."""
        return sum(part.nats for part in self.parts) + sum(nats for _, nats in self.company)


class Chooser:
    """One sense for each term of each sample, for the T terms of a corpus.

    `roles`: terms in others get none, and cost nothing.
    """

    def __init__(
        self,
        policy: str,
        senses: Senses,
        terms: Sequence[Term],
        corpus: Corpus,
        roles: Collection[Role] = tuple(Role),
    ) -> None:
        self._senses = senses
        self._corpus = corpus
        self._policy = policy
        self.terms = list(terms)
        self._words = np.array([corpus.words.get(word_of(term) or ("", Pos.NOUN), -1) for term in terms], np.int64)
        # The nouns, whose company is asked.
        self._speaking = np.array([term.pos is Pos.NOUN for term in terms], bool) & (self._words >= 0)
        self._seen = share_seen(senses, corpus) if policy == CONTEXT else 1.0
        self._is_shown = policy != FIRST and self._seen > _MOSTLY
        self._candidates = senses.shown if self._is_shown else senses.candidates
        self._company = Company(senses, Topics(senses), corpus, self._seen) if policy == CONTEXT else None
        ranked = self._ranked([number for number, term in enumerate(self.terms) if term.role in roles])
        # The senses of each term that may win, likeliest by themselves first, with their scores.
        self._synsets = np.zeros((len(terms), _MAX_SENSES), np.int64)
        self._priors = np.full((len(terms), _MAX_SENSES), -np.inf, np.float32)
        self._synsets[ranked.terms, ranked.places] = ranked.synsets
        self._priors[ranked.terms, ranked.places] = ranked.scores
        self._undecided = self._speaking & (self._synsets[:, 1] != NONE)
        asked = np.where(self._undecided[:, None], self._synsets, NONE)
        self._told = _Told(self._company, self._words, asked) if self._company else None

    def choose(self, offsets: np.ndarray, terms: np.ndarray) -> np.ndarray:
        """int64 [M]: a synset id, or NONE, for each of M mentions. Sample i has terms[offsets[i]:offsets[i+1]]."""
        chosen: np.ndarray = self._synsets[terms, 0]
        undecided = np.flatnonzero(self._undecided[terms])
        if self._told is not None and len(undecided):
            of_term = terms[undecided]
            scores = self._priors[of_term]
            heard, gains = self._heard(self._told, offsets, terms, undecided)
            scores[np.searchsorted(undecided, heard)] += gains  # each mention is there once, so `+=` loses none
            chosen[undecided] = self._synsets[of_term, scores.argmax(axis=1)]
        return chosen

    def _heard(
        self, told: "_Told", offsets: np.ndarray, terms: np.ndarray, mentions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [U] mentions that have company, float32 [U, S] what it says for each of their senses)."""
        num_samples = len(offsets) - 1
        samples = np.repeat(np.arange(num_samples), np.diff(offsets))
        words = self._words[terms]
        starts, company = unique_rows(samples[words >= 0], words[words >= 0], num_samples)
        asked, others = Rows(starts, company).expand(samples[mentions])
        known, gains = told.find(terms[mentions][asked], others)
        heard, starts_heard = np.unique(mentions[asked[known]], return_index=True)
        return heard, _largest(gains, starts_heard)

    def weigh(self, number: int, company: Sequence[int]) -> list[Weighed]:
        """Every sense of one term among other terms of its sample, likeliest first, with all reasons.

        Senses that are out of reach by themselves stand last, whatever their company might say.
        """
        term = self.terms[number]
        candidates = self._candidates(term)
        if self._policy == FIRST:
            order = [Part("WordNet's order", -float(rank)) for rank in range(len(candidates))]
            return [Weighed(candidate, [part], []) for candidate, part in zip(candidates, order, strict=True)]
        word = int(self._words[number])
        within = set(self._synsets[number].tolist())  # in reach by themselves
        parts = self._senses.prior(term, candidates, self._seen)
        said: list[list[tuple[str, float]]] = [[] for _ in candidates]
        if self._company and term.pos is Pos.NOUN and word >= 0:
            synsets = np.array([candidate.synset for candidate in candidates], np.int64)
            words = np.full(len(synsets), word)
            for reasons, nats in zip(parts, self._company.overall(words, synsets).tolist(), strict=True):
                reasons.append(Part("its company in the corpus", nats))
            others = np.unique([self._words[other] for other in company if self._words[other] not in (-1, word)])
            others = others.astype(np.int64)
            texts = list(self._corpus.words)
            company_of_all = Rows(np.array([0, len(others)]), others)
            told = self._company.gains(words, synsets, company_of_all, np.zeros(len(synsets), np.int64))
            told = told.reshape(len(synsets), len(others))
            for synset, heard, gains in zip(synsets.tolist(), said, told, strict=True):
                if synset in within:
                    largest = sorted(zip(gains, others, strict=True), reverse=True)[:_HEARD]
                    heard += [(texts[int(other)][0], float(gain)) for gain, other in largest]
        weighed = [Weighed(*each) for each in zip(candidates, parts, said, strict=True)]
        return sorted(weighed, key=lambda each: (each.candidate.synset not in within, -each.score))

    def _ranked(self, numbers: Sequence[int]) -> "_Ranked":
        """The senses of terms that may win."""
        terms: list[int] = []
        synsets: list[int] = []
        scores: list[float] = []
        for number in numbers:
            candidates = self._candidates(self.terms[number])
            if self._policy == FIRST or len(candidates) < 2:
                near = list(candidates[:1])
                own = [0.0] * len(near)  # one alone needs no weighing
            else:
                by_themselves = self._senses.by_themselves(self.terms[number], self._is_shown, self._seen)
                least = max(by_themselves) - _OUT_OF_REACH - _OVERALL_REACH
                within = [at for at, score in enumerate(by_themselves) if score > least]
                near, own = [candidates[at] for at in within], [by_themselves[at] for at in within]
            terms += [number] * len(near)
            synsets += [candidate.synset for candidate in near]
            scores += own
        ranked = _Ranked(np.array(terms, np.int64), np.array(synsets, np.int64), np.array(scores, np.float64))
        return ranked.sorted(self._overall(ranked))

    def _overall(self, ranked: "_Ranked") -> np.ndarray:
        """float64 [n]: what the company of each term in the whole corpus says for each of its senses."""
        told = np.zeros(len(ranked.terms))
        several = np.bincount(ranked.terms, minlength=len(self.terms)) > 1
        asked = (self._speaking & several)[ranked.terms]
        if self._company and asked.any():
            # Forms of a word ("dog", "dogs") ask the same.
            pairs = np.stack([self._words[ranked.terms[asked]], ranked.synsets[asked]])
            (words, synsets), places = np.unique(pairs, axis=1, return_inverse=True)
            told[asked] = self._company.overall(words, synsets)[places]
        return told


class _Ranked(NamedTuple):
    """Senses of terms with scores, flat; `places`: where each stands among those of its term."""

    terms: np.ndarray
    synsets: np.ndarray
    scores: np.ndarray
    places: np.ndarray = np.empty(0, np.int64)

    def sorted(self, more: np.ndarray) -> "_Ranked":
        """With more said for them, likeliest first, without what is now out of reach."""
        scores = self.scores + more
        order = np.lexsort((-scores, self.terms))
        terms, scores = self.terms[order], scores[order]
        places = rank_in_row(terms)
        first = np.flatnonzero(places == 0)
        best = np.repeat(scores[first], np.diff(first, append=len(terms)))
        kept = (places < _MAX_SENSES) & (scores > best - _OUT_OF_REACH)
        return _Ranked(terms[kept], self.synsets[order][kept], scores[kept], places[kept])


class _Told:
    """What every word says for every sense of the words that it was seen with; made once for a corpus."""

    def __init__(self, company: Company, words: np.ndarray, senses: np.ndarray) -> None:
        """words: int64 [T], those of the terms; senses: int64 [T, S], NONE where nothing is asked."""
        asking = np.flatnonzero(senses[:, 0] != NONE)
        self._words, row_of = np.unique(words[asking], return_inverse=True)
        seen_with = company.seen_with(self._words)
        self._starts = seen_with.starts
        self._width = int(seen_with.values.max(initial=0)) + 1
        self._keys = np.repeat(np.arange(len(self._words)) * self._width, seen_with.lengths)
        self._keys += seen_with.values  # in place, for it is as long as all pairs of words
        # A block of gains for each sense of a word; its forms share them.
        slots = np.argwhere(senses[asking] != NONE)
        pairs = np.stack([row_of[slots[:, 0]], senses[asking][slots[:, 0], slots[:, 1]]])
        (rows, synsets), block = np.unique(pairs, axis=1, return_inverse=True)
        starts = offsets(seen_with.lengths[rows])
        self._gains = company.gains(self._words[rows], synsets, seen_with, rows)
        self._row_of = np.full(len(words), -1, np.int64)
        self._row_of[asking] = row_of
        self._blocks = np.full((len(words), senses.shape[1]), -1, np.int64)
        self._blocks[asking[slots[:, 0]], slots[:, 1]] = starts[block]

    def find(self, terms: np.ndarray, company: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [k], float32 [k, S]): which of the pairs of a term and a word are known, and what each says."""
        rows = self._row_of[terms]
        keys = np.where((rows >= 0) & (company < self._width), rows * self._width + company, -1)
        places = np.searchsorted(self._keys, keys)
        places[places == len(self._keys)] = 0  # behind the last key: whatever is compared with it now is another
        known = np.flatnonzero(self._keys[places] == keys) if len(self._keys) else np.empty(0, np.int64)
        blocks = self._blocks[terms[known]]
        within = places[known] - self._starts[rows[known]]
        gains = self._gains[np.where(blocks >= 0, blocks + within[:, None], 0)]
        return known, np.where(blocks >= 0, gains, np.float32(0))


def share_seen(senses: Senses, corpus: Corpus) -> float:
    """How far a corpus speaks of what can be seen, 0 … 1; a corpus too small to tell is taken for captions."""
    if corpus.num_samples < _FEWEST_SAMPLES:
        return 1.0
    counted = [(number, word) for word, number in corpus.words.items() if word[1] in (Pos.NOUN, Pos.VERB)]
    weights = np.array([corpus.support[number] for number, _ in counted], np.float64)
    if not weights.sum():
        return 1.0
    shares = np.array([senses.share_seen(*word) for _, word in counted])
    share = float((weights * shares).sum() / weights.sum())
    return min(1.0, max(0.0, (share - _SPEAKS_OF_NOTHING) / (_SPEAKS_OF_THINGS - _SPEAKS_OF_NOTHING)))


def _largest(gains: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """float32 [G, S]: the sum of the `_HEARD` largest of each group of rows; groups begin at `starts`."""
    total = np.zeros((len(starts), gains.shape[1]), np.float32)
    if not len(starts):
        return total
    gains = gains.copy()  # what was taken is crossed out in it
    groups = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(gains)))
    numbers = np.arange(len(gains))[:, None]
    for _ in range(_HEARD):
        largest = np.maximum.reduceat(gains, starts)
        total += np.where(np.isfinite(largest), largest, 0)  # minus infinity: the group has no more
        # Of equals, only the first is taken out.
        taken = np.minimum.reduceat(np.where(gains == largest[groups], numbers, len(gains)), starts)
        gains[numbers == taken[groups]] = -np.inf
    return total
