"""Mends what a tagger of sentences makes of captions, which are mostly fragments.

"compass on a table" is no command, "a girl feeding pigeons" no kind of pigeon, "a policeman grins" no kind of grin.
The rules themselves are compiled (mending.py); here is what they are given.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labelgen.arrays.memory import Memory
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Pos
from labelgen.parsing.parse import Parse, Parses, numbered, one_by_one

if TYPE_CHECKING:
    from labelgen.mentions.wordfacts import WordFacts

NOUN_TAGS = frozenset({"NN", "NNS", "NNP", "NNPS"})
ADJECTIVE_TAGS = frozenset({"JJ", "JJR", "JJS"})
VERB_TAGS = frozenset({"VB", "VBD", "VBG", "VBN", "VBP", "VBZ"})
NAME_TAGS = frozenset({"NNP", "NNPS"})
AFTER_AN_OPENING = frozenset({"IN", "VBG", "VBN"})
HYPHENS = ("-", "\u2013")  # and a dash that some write for one


class Kinds(NamedTuple):
    """What WordNet knows of a word as it is written, in lower case."""

    noun: bool
    plural: bool
    thing: bool
    mostly_noun: bool
    adjective: bool
    verb: bool


class Mender:
    """Mends parses with what WordNet knows of their words."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.kinds = lru_cache(maxsize=100_000)(self._look_up)
        self._numbered: WordFacts | None = None
        self._is_term = Memory(self._find, 1_000_000)

    @property
    def facts(self) -> "WordFacts":
        """The words that were met, by number."""
        if self._numbered is None:
            # It brings numba with it, which only those need who mend.
            from labelgen.mentions.wordfacts import WordFacts

            self._numbered = WordFacts(self._lexicon, self.kinds)
        return self._numbered

    def forget(self) -> None:
        """Number words anew."""
        self._numbered = None
        self._is_term.clear()  # it knows words by their numbers

    def mend(self, parse: Parse) -> Parse:
        """The same words under better tags, in better chunks."""
        return self.mend_each([parse])[0]

    def mend_each(self, parses: Sequence[Parse]) -> list[Parse]:
        """The same of many parses at once; it does not matter with which others a parse is mended."""
        return one_by_one(self.mend_all(numbered(parses, self.facts)), self.facts.known)

    def mend_all(self, parses: Parses) -> Parses:
        """The same as arrays; words are numbered as in `facts`."""
        from labelgen.mentions import mending

        columns = self.facts.columns()
        texts = columns[parses.words, mending.TEXT]
        is_term, is_hyphenated = (np.full(len(texts), mending.UNKNOWN, np.int8) for _ in range(2))
        while True:
            # From the tags that came, each time: what was decided while an answer was missing does not count.
            words = parses.words.copy()
            mended = mending.mend(words, parses.ends, columns, is_term, is_hyphenated, parses.chunks, parses.chunk_ends)
            asked, asked_too = (np.flatnonzero(each == mending.ASKED) for each in (is_term, is_hyphenated))
            if not len(asked) + len(asked_too):
                return Parses(words, parses.ends, *mended)
            is_term[asked] = self._are_terms(texts[asked], " ", texts[asked + 1])
            is_hyphenated[asked_too] = self._are_terms(texts[asked_too - 1], "-", texts[asked_too + 1])

    def _are_terms(self, firsts: np.ndarray, between: str, seconds: np.ndarray) -> list[bool]:
        """Whether two words, by the numbers of their texts, are a term of WordNet with this between them."""
        pairs = zip(firsts.tolist(), repeat(between), seconds.tolist(), strict=False)  # `repeat` has no end
        return list(map(self._is_term.__getitem__, pairs))

    def _find(self, pair: tuple[int, str, int]) -> bool:
        first, between, second = pair
        text = f"{self.facts.texts[first]}{between}{self.facts.texts[second]}"
        return self._lexicon.find(text, text.endswith("s")) is not None

    def _look_up(self, text: str) -> Kinds:
        lexicon = self._lexicon
        singulars = lexicon.singulars(text)
        base = lexicon.base(text, Pos.VERB)
        noun = text if lexicon.senses(text) else next(iter(singulars), None)
        # Counted only for what may be both: nobody asks it of others.
        as_noun = 0 if noun is None or base is None else lexicon.uses(noun, Pos.NOUN)
        return Kinds(
            noun=noun is not None,
            plural=bool(singulars) and not lexicon.senses(text),  # "glasses" stands in WordNet by itself
            thing=lexicon.is_thing(text) or any(map(lexicon.is_thing, singulars)),
            mostly_noun=as_noun >= (0 if base is None else lexicon.uses(base, Pos.VERB)),
            adjective=lexicon.base(text, Pos.ADJECTIVE) is not None,
            verb=base is not None,
        )
