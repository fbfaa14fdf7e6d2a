"""The company that a sense keeps: which words, in the same sample, speak for one sense of a term and not for another.

Three things are asked of a word c in the company of a term t, for each sense s of t: is c among the words with which
WordNet speaks of s; are the topics of c's senses like those of s; and do the relatives of s, in this very corpus,
occur with c more often than chance. What the corpus says of all of t's company together is a fourth; it is added to
what speaks for s by itself.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import Rows, contains, offsets, rank_in_row, spans
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning.corpus import Corpus, Word
from labelgen.meaning.relatives import Relatives, Weighted
from labelgen.meaning.senses import Senses
from labelgen.meaning.topics import Topics, joined
from labelgen.mentions.terms import Role, Term

# Weights in nats; fitted like those of senses.py.
SPOKEN_OF = 7.5  # times c's weight in the topics of s
LIKE = 0.65  # times the logarithm of how much more alike than everyday words
KIND_OF = 3.0  # if c's likeliest sense is what s is directly a kind of
CUE = 4.0  # if a person has said that c speaks for s
GUESSED = 0.75  # times all the rest, where a person has said what captions mean by t
TOGETHER = 0.4  # times the pointwise mutual information of c and the relatives of s
OVERALL = 1.1  # times that information's mean over the company of t in the corpus

_ALIKE_FLOOR = 0.01  # added to both sides of a ratio, so that no likeness at all is not minus infinity
_PRIOR_SAMPLES = 30.0  # so many samples of chance are mixed into every count
_RARE = 10  # words in fewer samples say nothing by statistics
_RARE_OVERALL = 20  # the same, where all of a term's company is asked
_SENSES_OF_COMPANY = 2  # the likeliest of each word of it,
_LIKELY = 0.15  # and none that is less likely
_BATCH = 1 << 20  # words of company weighed at once
_BLENDED = 4_096  # words whose topics are made at once
_ROLES = {Pos.NOUN: Role.HEAD, Pos.VERB: Role.ACTION, Pos.ADJECTIVE: Role.ATTRIBUTE}


class Company:
    """Weighs company for the senses of terms, in one corpus.

    `trust` in 0 … 1 is given to likeness and to statistics: they help where texts speak of what can be seen.
    """

    def __init__(self, senses: Senses, topics: Topics, corpus: Corpus, trust: float) -> None:
        self._senses = senses
        self._trust = trust
        self._topics = topics
        self._corpus = corpus
        self._pairs = corpus.pairs()
        everyday = [(text, Pos.NOUN) for text in topics.background()]
        likely = self._likely([*corpus.words, *everyday])
        self._main_sense, main_shares = likely.first(len(corpus.words))
        nouns = np.array([pos is Pos.NOUN for _, pos in corpus.words], bool)
        told = np.flatnonzero(nouns & (self._main_sense > 0) & (corpus.support >= _RARE))
        self._relatives = Relatives(topics.relations, told, self._main_sense[told], main_shares[told])
        blended = self._blended(likely, len(corpus.words) + len(everyday))
        # Rows of one length are gathered by one call, which is worth the room that short ones waste.
        self._word_topics = _padded(blended, len(corpus.words), topics.glosses.num_words - 1)
        background = int(blended.starts[len(corpus.words)])
        self._background = blended.words[background:]
        self._background_weights = blended.weights[background:] / np.float32(max(1, len(everyday)))
        is_judged = [pos is Pos.NOUN and bool(senses.cues(text)) for text, pos in corpus.words]
        self._trust_in_guesses = np.where(np.array(is_judged, bool), GUESSED, 1.0)
        self._cues = _cues(corpus, senses)
        self._own = np.array([topics.glosses.number(text) for text, _ in corpus.words], np.int64)

    def seen_with(self, words: np.ndarray) -> Rows:
        """The words of the corpus, int32 and rising, that were seen with each of `words`, int64 [n]: n rows."""
        return self._pairs.rows.take(words)

    def gains(self, words: np.ndarray, synsets: np.ndarray, company: Rows, rows_of: np.ndarray) -> np.ndarray:
        """float32: what words say for senses, in nats.

        Of each question one for each of its words: row rows_of[i] of `company` is weighed for the sense synsets[i] of
        words[i]. Words are the corpus's numbers.
        """
        starts = offsets(company.lengths[rows_of])
        gains = np.empty(starts[-1], np.float32)
        for batch in self._batches(synsets, np.diff(starts)):
            rows = company.take(rows_of[batch])
            lengths = rows.lengths
            spoken, likeness = self._topical(synsets[batch], rows)
            together = self._information(words[batch], synsets[batch], rows)
            said = SPOKEN_OF * spoken + self._trust * (LIKE * likeness + TOGETHER * together)
            asked, above = self._topics.relations.hypernyms.expand(self._topics.relations.places(synsets[batch]))
            at = spans(rows.starts[asked], lengths[asked])
            kind_of = self._main_sense[rows.values[at]] == np.repeat(self._topics.relations.ids[above], lengths[asked])
            is_above = np.zeros(len(said), bool)
            is_above[at[kind_of]] = True
            said = np.repeat(self._trust_in_guesses[words[batch]], lengths) * (said + KIND_OF * is_above)
            gains[spans(starts[batch], lengths)] = said
        for row, sense in enumerate(zip(words.tolist(), synsets.tolist(), strict=True)):
            if sense in self._cues:
                told = contains(self._cues[sense], company.row(int(rows_of[row])))
                gains[starts[row] : starts[row + 1]] += np.float32(CUE) * told
        return gains

    def overall(self, words: np.ndarray, synsets: np.ndarray) -> np.ndarray:
        """float64 [n]: what all the company of words[i] in the corpus says for its sense synsets[i], in nats."""
        told = np.zeros(len(words))
        frequent = self._pairs.of_frequent(self._corpus.support >= _RARE_OVERALL)
        for batch in self._batches(synsets, frequent.rows.lengths[words]):
            asked, company = frequent.rows.expand(words[batch])
            counts = frequent.counts_of(words[batch])
            rows = Rows(offsets(np.bincount(asked, minlength=len(batch))), company)
            said = np.bincount(asked, self._information(words[batch], synsets[batch], rows) * counts, len(batch))
            told[batch] = said / np.maximum(1, np.bincount(asked, counts, len(batch)))
        return np.asarray(told * self._trust_in_guesses[words] * (self._trust * OVERALL))

    def _batches(self, synsets: np.ndarray, lengths: np.ndarray) -> Iterator[np.ndarray]:
        """What is asked, synset by synset, in batches of some size; what has no company is left out."""
        # So that what is to be known of a sense is found out once for all who ask for it.
        order = np.argsort(synsets, kind="stable")
        order = order[lengths[order] > 0]
        number = np.cumsum(lengths[order]) // _BATCH
        yield from np.split(order, np.flatnonzero(np.diff(number)) + 1) if len(order) else ()

    def _topical(self, synsets: np.ndarray, company: Rows) -> tuple[np.ndarray, np.ndarray]:
        """(float32, float64): the weight of each word of the company in the topics of the sense; its likeness."""
        spoken = np.empty(len(company.values), np.float32)
        alike = np.empty(len(company.values), np.float32)
        usual = np.empty(len(company.values), np.float32)
        words, weights = self._word_topics
        spread = np.zeros(self._topics.glosses.num_words, np.float32)
        distinct, first = np.unique(synsets, return_index=True)
        vectors = self._topics.of_synsets(distinct)
        for number, (start, end) in enumerate(_blocks(company.starts, first)):
            own, strength = vectors.row(number)
            spread[own] = strength
            of_company = company.values[start:end]
            spoken[start:end] = spread[self._own[of_company]]
            spread_there = spread.take(words.take(of_company, axis=0))
            np.einsum("cw,cw->c", spread_there, weights.take(of_company, axis=0), out=alike[start:end])
            usual[start:end] = spread[self._background] @ self._background_weights
            # Not all of it: a sense speaks of some hundred words, and there are tens of thousands.
            spread[own] = 0
        return spoken, np.log((alike + _ALIKE_FLOOR) / (usual + _ALIKE_FLOOR))

    def _information(self, words: np.ndarray, synsets: np.ndarray, company: Rows) -> np.ndarray:
        """float64: logarithm of how much more often than by chance each word occurs with relatives of the sense.

        `synsets` rise. The word whose sense it is is no relative of itself.
        """
        support = self._corpus.support
        together = np.zeros(len(company.values))
        totals = np.zeros(len(words))
        dense = np.zeros(len(support))
        distinct, first = np.unique(synsets, return_index=True)
        relatives = self._relatives.of_synsets(distinct)
        ends = np.append(first[1:], len(words))
        for number in np.flatnonzero(relatives.lengths).tolist():
            near, likely = relatives.row(number)
            counts = self._pairs.weighted(near, likely)
            total = float(likely @ support[near])
            for asked in range(int(first[number]), int(ends[number])):
                block = slice(int(company.starts[asked]), int(company.starts[asked + 1]))
                together[block] = counts[company.values[block]]
                totals[asked] = total
                for own in likely[near == words[asked]].tolist():  # once, or not at all
                    columns, with_itself = self._pairs.row(words[asked])
                    dense[columns] = with_itself
                    together[block] -= own * dense[company.values[block]]
                    dense[columns] = 0
                    totals[asked] -= own * support[words[asked]]
        known = support[company.values] >= _RARE
        chance = np.where(known, support[company.values] / self._corpus.num_samples, 1.0)
        of_all = np.repeat(totals, company.lengths)
        mixed = (together + _PRIOR_SAMPLES * chance) / ((of_all + _PRIOR_SAMPLES) * chance)
        return np.asarray(np.where(known, np.log(mixed), 0.0))

    def _likely(self, words: Sequence[Word]) -> "_Likely":
        """The senses that each word of the company has most likely, by itself."""
        terms = [Term(text, _ROLES[pos]) for text, pos in words]
        candidates = list(map(self._senses.shown, terms))
        scores = [
            self._senses.by_themselves(term, True, 1.0) if len(own) > 1 else (0.0,) * len(own)
            for term, own in zip(terms, candidates, strict=True)
        ]
        rows = np.repeat(np.arange(len(words)), list(map(len, candidates)))
        flat = np.fromiter(chain.from_iterable(scores), np.float64, len(rows))
        largest = np.full(len(words), -np.inf)
        np.maximum.at(largest, rows, flat)
        shares = np.exp(flat - largest[rows])
        shares /= np.bincount(rows, shares)[rows]
        order = np.lexsort((-shares, rows))
        order = order[(rank_in_row(rows[order]) < _SENSES_OF_COMPANY) & (shares[order] > _LIKELY)]
        synsets = np.fromiter((each.synset for own in candidates for each in own), np.int64, len(rows))
        return _Likely(rows[order], synsets[order], shares[order])

    def _blended(self, likely: "_Likely", num_words: int) -> Weighted:
        """The topics of words: those of their likely senses, by how likely each is."""
        batches = []
        for first in range(0, num_words, _BLENDED):
            batch = slice(*np.searchsorted(likely.words, (first, first + _BLENDED)).tolist())
            distinct, parts = np.unique(likely.synsets[batch], return_inverse=True)
            vectors, rows = self._topics.of_synsets(distinct), likely.words[batch] - first
            batches.append(
                self._topics.blend(vectors, rows, parts, likely.shares[batch], min(_BLENDED, num_words - first))
            )
        return joined(batches)


class _Likely(NamedTuple):
    """Senses of words, word by word, the likeliest first: numbers of words, synsets, and how likely each is."""

    words: np.ndarray
    synsets: np.ndarray
    shares: np.ndarray

    def first(self, num_words: int) -> tuple[np.ndarray, np.ndarray]:
        """(int64, float64) of the first words: the likeliest sense of each, 0 if it has none, and how likely it is."""
        at = np.flatnonzero(np.diff(self.words, prepend=-1))
        at = at[self.words[at] < num_words]
        synsets, shares = np.zeros(num_words, np.int64), np.zeros(num_words)
        synsets[self.words[at]], shares[self.words[at]] = self.synsets[at], self.shares[at]
        return synsets, shares


def _cues(corpus: Corpus, senses: Senses) -> dict[tuple[int, int], np.ndarray]:
    """(number of a noun, synset) → int64, the numbers of the words that a person has said to speak for that sense.

    A word says a cue if it is the cue, its plural, or a term with that word in it ("red wine": wine).
    """
    saying: dict[str, list[int]] = defaultdict(list)
    for number, (text, _) in enumerate(corpus.words):
        for form in {text, *text.split(" "), *senses.lexicon.singulars(text)}:
            saying[form].append(number)
    return {
        (number, synset): np.unique([each for cue in cues for each in saying[cue]]).astype(np.int64)
        for number, (text, pos) in enumerate(corpus.words)
        if pos is Pos.NOUN
        for synset, cues in senses.cues(text).items()
        if cues
    }


def _blocks(starts: np.ndarray, first: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where the rows of each synset begin and end; `first`: the row with which each synset begins."""
    yield from zip(starts[first].tolist(), [*starts[first[1:]].tolist(), int(starts[-1])], strict=True)


def _padded(vectors: Weighted, num: int, no_word: int) -> tuple[np.ndarray, np.ndarray]:
    """(int32, float32) [num, longest]: the first vectors as a table, filled up with a word of no weight."""
    starts = vectors.starts[: num + 1]
    lengths = np.diff(starts)
    inside = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    words = np.full(inside.shape, no_word, np.int32)
    weights = np.zeros(inside.shape, np.float32)
    words[inside], weights[inside] = vectors.words[: starts[-1]], vectors.weights[: starts[-1]]
    return words, weights
