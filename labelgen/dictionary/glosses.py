"""The words with which WordNet speaks of each synset: its lemmas, and the terms in its gloss."""

import math
import re

import numpy as np
import pyarrow as pa

from labelgen.arrays.ragged import Rows, group, pack
from labelgen.dictionary.compiled import compiled
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos, Synset
from labelshards import storage

_RARITY_SAMPLE = 16
_AT_MOST = 2  # times that a word counts in one gloss
_VERSION = 1  # raise it when the same WordNet and lexicon give other words
_EMPTY = -1

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


class Glosses:
    """Words by number, for the n synsets in the order of their own numbers.

    lemmas, glosses: Rows of words, those of a gloss each at most twice; rarity: float64 [words], how much each counts.
    """

    def __init__(self, texts: list[str], lemmas: Rows, glosses: Rows, rarity: np.ndarray) -> None:
        self.lemmas, self.glosses, self.rarity = lemmas, glosses, rarity
        self.texts = texts
        self._numbers = {text: number for number, text in enumerate(texts)}

    @property
    def num_words(self) -> int:
        """How many words there are; the number of an unknown word is the last of them, which no synset has."""
        return len(self.texts) + 1

    def number(self, text: str) -> int:
        """The number of a word."""
        return self._numbers.get(text, len(self.texts))


def read_glosses(lexicon: Lexicon, synsets: Synsets) -> Glosses:
    """The words of all synsets; what a word in a gloss stands for, the lexicon says. Made once, then cached."""
    known = "\n".join(term for pos in Pos for term in lexicon.terms(pos))
    key = storage.digest(f"{_VERSION}\n{known}\n{synsets.digest()}".encode())
    arrays = compiled("glosses", key, lambda: _read(lexicon, list(synsets.values())))
    lemmas, glosses = (
        Rows(arrays[f"{kind}.starts"].to_numpy(), arrays[f"{kind}.words"].to_numpy()) for kind in ("lemmas", "glosses")
    )
    return Glosses(arrays["texts"].to_pylist(), lemmas, glosses, arrays["rarity"].to_numpy())


def _read(lexicon: Lexicon, synsets: list[Synset]) -> dict[str, pa.Array]:
    numbers: dict[str, int] = {}
    lemmas = pack([numbers.setdefault(lemma.lower(), len(numbers)) for lemma in each.lemmas] for each in synsets)
    forms: dict[str, int] = dict.fromkeys(_EMPTY_WORDS, _EMPTY)
    in_glosses = pack(
        [forms.setdefault(word, len(forms)) for word in _WORD.findall(each.gloss.lower())] for each in synsets
    )
    meant = pack(
        [numbers.setdefault(term, len(numbers)) for term in (_terms(lexicon, word) if number != _EMPTY else ())]
        for word, number in forms.items()
    )
    spoken = in_glosses.values != _EMPTY
    of_gloss = np.repeat(np.arange(len(synsets)), in_glosses.lengths)[spoken]
    keys, times = np.unique(of_gloss * len(forms) + in_glosses.values[spoken], return_counts=True)
    of_gloss, form = np.divmod(np.repeat(keys, np.minimum(times, _AT_MOST)), len(forms))
    asked, words = meant.expand(form)
    glosses = group(of_gloss[asked], words, len(synsets))
    return {
        "texts": pa.array(numbers, pa.string()),
        "lemmas.starts": pa.array(lemmas.starts),
        "lemmas.words": pa.array(lemmas.values),
        "glosses.starts": pa.array(glosses.starts),
        "glosses.words": pa.array(glosses.values),
        "rarity": pa.array(_rarity(glosses, len(numbers))),
    }


def _terms(lexicon: Lexicon, word: str) -> dict[str, None]:
    """The terms that a word of a gloss may stand for: noun, verb, adjective."""
    noun = lexicon.find(word, word.endswith("s"))
    found = [noun[0] if noun else None, lexicon.base(word, Pos.VERB), lexicon.base(word, Pos.ADJECTIVE)]
    return {term: None for term in found if term}


def _rarity(glosses: Rows, num_words: int) -> np.ndarray:
    """How much each word counts for its rarity, from the glosses of every sixteenth synset; 1 if it is in none."""
    total = len(glosses.starts) - 1
    of_gloss, words = glosses.expand(np.arange(0, total, _RARITY_SAMPLE))
    seen = np.unique(of_gloss * num_words + words) % max(1, num_words)
    counts = np.bincount(seen, minlength=num_words)
    share = np.log(total / (1 + _RARITY_SAMPLE * counts)) / math.log(max(2, total))
    return np.where(counts > 0, share**2, 1.0)
