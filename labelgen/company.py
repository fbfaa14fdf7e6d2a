"""The company that a sense keeps: which words, in the same sample, speak for one sense of a term and not for another.

Three things are asked of a word c in the company of a term t, for each sense s of t: is c among the words with which
WordNet speaks of s; are the topics of c's senses like those of s; and do the relatives of s, in this very corpus,
occur with c more often than chance. What the corpus says of all of t's company together is a fourth; it is added to
what speaks for s by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from labelgen.corpus import Corpus, Word
from labelgen.lexicon import Lexicon
from labelgen.senses import Senses
from labelgen.terms import Role, Term
from labelgen.topics import Topics, Vector
from labelgen.wordnet import Pos

# Weights in nats; fitted like those of senses.py.
SPOKEN_OF = 7.5  # times c's weight in the topics of s
LIKE = 0.65  # times the logarithm of how much more alike than everyday words
KIND_OF = 3.0  # if c's likeliest sense is what s is directly a kind of
CUE = 4.0  # if a person has said that c speaks for s
GUESSED = 0.75  # times all the rest, where a person has said what captions mean by t
TOGETHER = 0.4  # times the pointwise mutual information of c and the relatives of s
OVERALL = 1.1  # times that information's mean over the company of t in the corpus

_ALIKE_FLOOR = 0.01
_PRIOR_SAMPLES = 30.0  # so many samples of chance are mixed into every count
_RARE = 10  # words in fewer samples say nothing by statistics
_RARE_OVERALL = 20
_SENSES_OF_COMPANY = 2
_LIKELY = 0.15
_MAX_FAMILY = 100
_SPECIFIC = 3_000  # kinds below a synset, beyond which it is too general to be company
# What a word without senses is spoken of with: one entry of no weight, so that every word has one.
_NOTHING = Vector(np.zeros(1, np.int32), np.zeros(1, np.float32))


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
        self._words = list(corpus.words)
        self._likeness = lru_cache(maxsize=None)(self._usual_likeness)
        self._together = lru_cache(maxsize=64)(self._with_relatives)
        everyday = [topics.blend(self._likely(text, Pos.NOUN)) for text in topics.background()]
        self._background = Vector(
            np.concatenate([vector.words for vector in everyday]),
            np.concatenate([vector.weights for vector in everyday]) / np.float32(len(everyday)),
        )
        likely = [self._likely(text, pos) for text, pos in self._words]
        self._main_sense = np.array([senses[0][0] if senses else 0 for senses in likely], np.int64)
        self._by_main_sense = self._main_senses(likely)
        of_words = [topics.blend(senses) if senses else _NOTHING for senses in likely]
        self._lengths = np.array([len(vector.words) for vector in of_words], np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._vectors = Vector(
            np.concatenate([np.empty(0, np.int32), *(vector.words for vector in of_words)]),
            np.concatenate([np.empty(0, np.float32), *(vector.weights for vector in of_words)]),
        )
        self._said_by: Mapping[str, list[int]] = _by_form(enumerate(self._words), senses.lexicon)
        self._own = np.array([topics.id_of(text) for text, _ in self._words], np.int64)

    def gains(self, word: int, synsets: Sequence[int], company: np.ndarray) -> np.ndarray:
        """float32 [S, C]: what each of C words says for each of S senses of `word`, in nats. Words are the corpus's."""
        gains = np.zeros((len(synsets), len(company)), np.float32)
        if not len(company):
            return gains
        lengths = self._lengths[company]
        starts = np.cumsum(lengths) - lengths
        entries = np.repeat(self._starts[company] - starts, lengths) + np.arange(int(lengths.sum()))
        words, weights = self._vectors.words[entries], self._vectors.weights[entries]
        own = self._own[company]
        for row, synset in enumerate(synsets):
            spread = self._spread(synset)
            alike = np.add.reduceat(spread[words] * weights, starts)
            likeness = np.log((alike + _ALIKE_FLOOR) / (self._likeness(synset) + _ALIKE_FLOOR))
            together = self._information(word, synset, company)
            gains[row] = SPOKEN_OF * spread[own] + self._trust * (LIKE * likeness + TOGETHER * together)
            gains[row] += KIND_OF * np.isin(self._main_sense[company], self._senses.synsets[synset].hypernyms)
        return self._with_cues(gains, word, synsets, company)

    def _with_cues(self, gains: np.ndarray, word: int, synsets: Sequence[int], company: np.ndarray) -> np.ndarray:
        """The gains together with what a person has said; the company's words are the corpus's."""
        cues = self._cues(word)
        if not cues:
            return gains
        told = np.zeros_like(gains)
        for row, synset in enumerate(synsets):
            told[row] = np.isin(company, [said for cue in cues.get(synset, ()) for said in self._said_by[cue]])
        return GUESSED * gains + CUE * told

    def _cues(self, word: int) -> Mapping[int, tuple[str, ...]]:
        text, pos = self._words[word]
        return self._senses.cues(text) if pos is Pos.NOUN else {}

    def seen_with(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [n] words of the corpus seen with `word`, int64 [n] in how many samples)."""
        return self._pairs.row(word)

    def overall(self, word: int, synsets: Sequence[int]) -> np.ndarray:
        """float64 [S]: what all the company of a word in the corpus says for each of its senses, in nats."""
        company, counts = self._pairs.row(word)
        frequent = self._corpus.support[company] >= _RARE_OVERALL
        company, counts = company[frequent], counts[frequent]
        if not len(company):
            return np.zeros(len(synsets))
        told = [float(self._information(word, synset, company) @ counts) for synset in synsets]
        guessed = GUESSED if self._cues(word) else 1.0
        return np.array(told) * (guessed * self._trust * OVERALL / float(counts.sum()))

    def _information(self, word: int, synset: int, company: np.ndarray) -> np.ndarray:
        """float64 [C]: logarithm of how much more often than by chance each word occurs with relatives of the sense."""
        with_relatives, all_relatives = self._together(word, synset)
        known = self._corpus.support[company] >= _RARE
        chance = np.where(known, self._corpus.support[company] / self._corpus.num_samples, 1.0)
        mixed = (with_relatives[company] + _PRIOR_SAMPLES * chance) / ((all_relatives + _PRIOR_SAMPLES) * chance)
        return np.asarray(np.where(known, np.log(mixed), 0.0))

    def _with_relatives(self, word: int, synset: int) -> tuple[np.ndarray, float]:
        """(float64 [W]: samples with each word and a relative of the sense; samples with a relative), weighted.

        `word`, whose sense it is, is no relative of itself.
        """
        counts = np.zeros(len(self._words))
        total = 0.0
        for relative, weight in self._relatives(synset).items():
            if relative != word:
                columns, together = self._pairs.row(relative)
                counts[columns] += weight * together
                total += weight * float(self._corpus.support[relative])
        return counts, total

    def _relatives(self, synset: int) -> dict[int, float]:
        """Words of the corpus whose main sense is near: kinds, siblings, parts, what the synset is a kind of."""
        synsets = self._senses.synsets
        near = {synset: 1.0}

        def meet(others: Iterable[int], weight: float) -> None:
            for other in others:
                near[other] = max(weight, near.get(other, 0.0))

        for above in synsets[synset].hypernyms:
            if self._topics.size(above) < _SPECIFIC:
                meet([above], 0.8)
            siblings = self._topics.kinds(above)
            meet(siblings if len(siblings) <= _MAX_FAMILY else [], 0.7)
            meet([*synsets[above].parts, *synsets[above].topics, *synsets[above].derived], 0.4)
        kinds = self._topics.kinds(synset)
        meet(kinds, 0.9)
        for kind in kinds:
            meet(self._topics.kinds(kind)[:_MAX_FAMILY], 0.7)
        meet([*synsets[synset].parts, *synsets[synset].topics, *synsets[synset].derived], 0.8)
        found: dict[int, float] = {}
        for other, weight in near.items():
            for word, likely in self._by_main_sense.get(other, ()):
                found[word] = max(found.get(word, 0.0), weight * likely)
        return found

    def _main_senses(self, likely: list[list[tuple[int, float]]]) -> Mapping[int, list[tuple[int, float]]]:
        """Synset → the nouns of the corpus that have it as their likeliest sense, and how likely it is."""
        found: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for number, (word, senses) in enumerate(zip(self._words, likely, strict=True)):
            if word[1] is Pos.NOUN and senses and self._corpus.support[number] >= _RARE:
                found[senses[0][0]].append((number, senses[0][1]))
        return found

    def _likely(self, text: str, pos: Pos) -> list[tuple[int, float]]:
        """The senses that a word of the company has most likely, with how likely each is by itself; likeliest first."""
        term = Term(text, {Pos.NOUN: Role.HEAD, Pos.VERB: Role.ACTION, Pos.ADJECTIVE: Role.ATTRIBUTE}[pos])
        candidates = self._senses.shown(term)
        if not candidates:
            return []
        scores = np.array([sum(part.nats for part in parts) for parts in self._senses.prior(term, candidates)])
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")[:_SENSES_OF_COMPANY]
        return [(candidates[at].synset, float(shares[at])) for at in order if shares[at] > _LIKELY]

    def _usual_likeness(self, synset: int) -> float:
        """How much everyday words are like the sense, on average."""
        return float(self._spread(synset)[self._background.words] @ self._background.weights)

    def _spread(self, synset: int) -> np.ndarray:
        """float32 [words]: the sense's topics, dense."""
        vector = self._topics.of_synset(synset)
        dense = np.zeros(self._topics.num_words, np.float32)
        dense[vector.words] = vector.weights
        return dense


def _by_form(words: Iterable[tuple[int, Word]], lexicon: Lexicon) -> Mapping[str, list[int]]:
    """Form → the numbers of the words that say it: a term itself, its singular, each word in it ("red wine": wine)."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, (text, _) in words:
        for form in {text, *text.split(" "), *lexicon.singulars(text)}:
            found[form].append(number)
    return found
