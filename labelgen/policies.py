"""Terms of a sample → one sense for each: the policies `first`, `visual` and `context`.

`first` takes WordNet's order. `visual` takes the sense that a picture is likeliest to show. `context` adds the company
that the term keeps, in its sample and in the corpus, and asks less for what can be seen where the corpus speaks of
other things.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from labelgen.company import Company
from labelgen.corpus import Corpus, unique_rows, word_of
from labelgen.senses import Candidate, Part, Senses
from labelgen.terms import Role, Term
from labelgen.topics import Topics
from labelgen.wordnet import Pos

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
_MOSTLY = 0.5
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
        self._seen = share_seen(senses, corpus) if policy == CONTEXT else 1.0
        self._candidates = senses.shown if policy != FIRST and self._seen > _MOSTLY else senses.candidates
        self._company = Company(senses, Topics(senses), corpus, self._seen) if policy == CONTEXT else None
        self._synsets = np.zeros((len(terms), _MAX_SENSES), np.int64)
        self._priors = np.full((len(terms), _MAX_SENSES), -np.inf, np.float32)
        keys: list[np.ndarray] = []
        gains: list[np.ndarray] = []
        for number, term in enumerate(self.terms):
            if term.role not in roles:
                continue
            synsets, scores = self._rank(number, term)
            self._synsets[number, : len(synsets)] = synsets
            self._priors[number, : len(synsets)] = scores
            if self._company and len(synsets) > 1 and term.pos is Pos.NOUN and self._words[number] >= 0:
                company, _ = self._company.seen_with(int(self._words[number]))
                table = np.zeros((len(company), _MAX_SENSES), np.float32)
                table[:, : len(synsets)] = self._company.gains(int(self._words[number]), synsets, company).T
                keys.append(number * len(corpus.words) + company)
                gains.append(table)
        self._keys = np.concatenate([np.empty(0, np.int64), *keys])
        self._gains = np.concatenate([np.empty((0, _MAX_SENSES), np.float32), *gains])

    def choose(self, offsets: np.ndarray, terms: np.ndarray) -> np.ndarray:
        """int64 [M]: a synset id, or NONE, for each of M mentions. Sample i has terms[offsets[i]:offsets[i+1]]."""
        scores = self._priors[terms].copy()
        undecided = np.flatnonzero(np.isfinite(scores[:, 1]))
        if len(undecided) and len(self._keys):
            mentions, gains = self._heard(offsets, terms, undecided)
            scores[mentions] += gains
        chosen: np.ndarray = self._synsets[terms, scores.argmax(axis=1)]
        return chosen

    def _heard(self, offsets: np.ndarray, terms: np.ndarray, mentions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [U] mentions that have company, float32 [U, S] what it says for each of their senses)."""
        num_samples = len(offsets) - 1
        samples = np.repeat(np.arange(num_samples), np.diff(offsets))
        words = self._words[terms]
        starts, company = unique_rows(samples[words >= 0], words[words >= 0], num_samples)
        first, lengths = starts[samples[mentions]], np.diff(starts)[samples[mentions]]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        others = company[np.repeat(first, lengths) + within]
        keys = np.repeat(terms[mentions], lengths) * len(self._corpus.words) + others
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[rows] == keys
        of_mention = np.repeat(mentions, lengths)[known]
        heard, starts_heard = np.unique(of_mention, return_index=True)
        return heard, _largest(self._gains[rows[known]], starts_heard)

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
        within = set(self._synsets[number].tolist())
        parts = self._senses.prior(term, candidates, self._seen)
        said: list[list[tuple[str, float]]] = [[] for _ in candidates]
        if self._company and term.pos is Pos.NOUN and word >= 0:
            synsets = [candidate.synset for candidate in candidates]
            for reasons, nats in zip(parts, self._company.overall(word, synsets), strict=True):
                reasons.append(Part("its company in the corpus", float(nats)))
            others = np.unique([self._words[other] for other in company if self._words[other] not in (-1, word)])
            others = others.astype(np.int64)
            texts = list(self._corpus.words)
            for synset, heard, gains in zip(synsets, said, self._company.gains(word, synsets, others), strict=True):
                if synset in within:
                    largest = sorted(zip(gains, others, strict=True), reverse=True)[:_HEARD]
                    heard += [(texts[int(other)][0], float(gain)) for gain, other in largest]
        weighed = [Weighed(*each) for each in zip(candidates, parts, said, strict=True)]
        return sorted(weighed, key=lambda each: (each.candidate.synset not in within, -each.score))

    def _rank(self, number: int, term: Term) -> tuple[list[int], list[float]]:
        """The senses of a term that may win, likeliest by themselves first, with their scores."""
        candidates = self._candidates(term)
        if self._policy == FIRST or len(candidates) < 2:
            return [candidate.synset for candidate in candidates[:1]], [0.0] * len(candidates[:1])
        parts = self._senses.prior(term, candidates, self._seen)
        scores = np.array([sum(part.nats for part in reasons) for reasons in parts])
        near = np.flatnonzero(scores > scores.max() - _OUT_OF_REACH - _OVERALL_REACH)
        scores, synsets = scores[near], [candidates[at].synset for at in near]
        if self._company and term.pos is Pos.NOUN and self._words[number] >= 0:
            scores += self._company.overall(int(self._words[number]), synsets)
        order = np.argsort(-scores, kind="stable")[:_MAX_SENSES]
        order = order[scores[order] > scores.max() - _OUT_OF_REACH]
        return [synsets[at] for at in order], [float(scores[at]) for at in order]


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
    gains = gains.copy()
    groups = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(gains)))
    numbers = np.arange(len(gains))[:, None]
    for _ in range(_HEARD):
        largest = np.maximum.reduceat(gains, starts)
        total += np.where(np.isfinite(largest), largest, 0)
        # Of equals, only the first is taken out.
        taken = np.minimum.reduceat(np.where(gains == largest[groups], numbers, len(gains)), starts)
        gains[numbers == taken[groups]] = -np.inf
    return total
