"""Tagged words by number, and what the rules ask of each of them, as bits: found out when a word first comes."""

from collections.abc import Callable
from itertools import count

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.arrays.memory import Memory
from labelgen.arrays.numbers import Numbers
from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.beginnings import Beginnings
from labelgen.mentions.fragments import (
    ADJECTIVE_TAGS,
    AFTER_AN_OPENING,
    HYPHENS,
    NAME_TAGS,
    NOUN_TAGS,
    VERB_TAGS,
    Kinds,
)
from labelgen.mentions.mending import (
    ADJECTIVE,
    AFTER_A_NOUN,
    AFTER_A_VERB,
    AFTER_OPENING,
    BARE,
    BEFORE_A_VERB,
    COUNTS,
    DASH,
    DETERMINER,
    DT,
    ENDS_A_NOUN,
    FOLLOWS_OF,
    HYPHEN,
    IF_NONE_FOLLOWS,
    ING,
    IS_TERM,
    KNOWN_ADJECTIVE,
    KNOWN_NOUN,
    KNOWN_VERB,
    LONG,
    MARKED,
    MAY_BE_A_NOUN,
    MAY_BE_FIRST,
    MAY_BE_SECOND,
    MAY_CUT,
    MD,
    MOSTLY_NOUN,
    NN,
    NNS,
    NOUN,
    OF,
    OPEN,
    OPENS_A_NOUN,
    PAST,
    RB,
    SPACE,
    STOP,
    THING,
    UH,
    VBG,
    VERB,
)
from labelgen.mentions.terms import NEVER_IN_A_TERM, is_counting, plain
from labelgen.parsing.parse import Word

_BARE_VERB_TAGS = frozenset({"VB", "VBP"})
_PAST_TAGS = frozenset({"VBD", "VBN"})
_OPEN_TAGS = _BARE_VERB_TAGS | _PAST_TAGS | ADJECTIVE_TAGS | {"VBZ", "VBG", "RB", "UH", "FW"}
_DASHES = frozenset({"-", "--", "\u2013", "\u2014"})
_LONG = 5  # letters

_TAGS_OF_BITS = {
    NOUN: NOUN_TAGS,
    ADJECTIVE: ADJECTIVE_TAGS,
    VERB: VERB_TAGS,
    BARE: _BARE_VERB_TAGS,
    PAST: _PAST_TAGS,
    NN: {"NN"},
    NNS: {"NNS"},
    VBG: {"VBG"},
    MD: {"MD"},
    RB: {"RB"},
    UH: {"UH"},
    DT: {"DT"},
    DETERMINER: {"DT", "PRP$"},
    OPENS_A_NOUN: {"DT", "PRP$", "CD"} | ADJECTIVE_TAGS,
    BEFORE_A_VERB: {"MD", "TO", "PRP", "NNS", "NNPS", "WP", "WDT", "EX", "RB"},
    AFTER_A_VERB: {"DT", "PDT", "PRP$", "PRP", "TO", "RP", "CD", "JJ", "NN", "NNS"},
    AFTER_A_NOUN: {"IN", "CC", ",", ".", "VBG", "VBN", ""},
    ENDS_A_NOUN: {"IN", ".", "VBG", "VBN", ""},  # less those with which "a blue and white cup" goes on
    OPEN: _OPEN_TAGS,
    STOP: {":", ",", "-LRB-", "-RRB-"},
    AFTER_OPENING: AFTER_AN_OPENING,
}
# What stands for a word that is never in a term, by whether it counts, and whether it is a determiner.
STANDS_FOR = {
    (True, True): Word("a", "DT", True),
    (False, True): Word("the", "DT", True),
    (True, False): Word("1", "CD", True),
    (False, False): Word("what", "WDT", True),
}


class WordFacts(Numbers[Word]):
    """Words by number, and what is known of each. `columns()`: int64 [words, 7], see mending.FACTS and its neighbours.

    alike: words that stand for those that give the same terms there (IN_CHUNK, AT_THE_END, AROUND).
    """

    def __init__(self, lexicon: Lexicon, kinds: Callable[[str], Kinds]) -> None:
        super().__init__()
        self._lexicon = lexicon
        self._kinds = kinds
        self.beginnings = Beginnings(lexicon)
        self._bits_of_text = Memory(self._about)
        self._bits_of_tag = Memory(_bits_of_tag)
        self._texts = Numbers[str]()
        self._alike = Numbers[Word]()
        self.texts, self.alike = self._texts.known, self._alike.known
        self._columns = Growing(np.int64, (7,))

    def columns(self) -> np.ndarray:
        """int64 [words, 7], of all words that have a number; good until more are asked for."""
        rows = []
        # No range: `_row` may number more words while they are gone through.
        for number in count(len(self._columns)):
            if number == len(self.known):
                break
            rows.append(self._row(number))
        if rows:
            self._columns.append(rows)
        return self._columns.rows

    def _row(self, number: int) -> tuple[int, ...]:
        """May number words that follow from it."""
        word = self.known[number]
        text = word.text.lower()
        facts = self._facts(word, text)
        as_noun = as_deed = number
        if facts & KNOWN_NOUN and facts & (OPEN | MD):
            as_noun = self[word._replace(tag="NNS" if self._kinds(text).plural else "NN")]
        if facts & KNOWN_VERB and (facts & NNS or (facts & NN and facts & ING)):
            as_deed = self[word._replace(tag="VBG" if facts & ING else "VBZ")]
        # Capitals say something of names alone (terms._form), and a space nothing where a chunk ends.
        around = word if word.tag in NAME_TAGS or word.text == text else Word(text, word.tag, word.space_after)
        at_the_end = Word(around.text, word.tag, False) if word.space_after else around
        counts = is_counting(word)
        facts |= COUNTS * counts
        in_chunk = around
        if word.tag in NEVER_IN_A_TERM and word.space_after:  # it takes part in no term, but may count
            facts &= ~(MAY_BE_FIRST | MAY_BE_SECOND)
            in_chunk = STANDS_FOR[counts, word.tag == "DT"]
        alike = map(self._alike.__getitem__, (in_chunk, at_the_end, around))
        return facts, as_noun, as_deed, self._texts[text], *alike

    def _facts(self, word: Word, text: str) -> int:
        """What a word is and may need, whatever stands around it."""
        facts = self._bits_of_tag[word.tag] | self._bits_of_text[text]
        if not word.space_after:
            facts |= FOLLOWS_OF  # as a part of a longer word it may
        facts |= SPACE * word.space_after | LONG * (len(word.text) >= _LONG)
        if facts & ADJECTIVE:
            may_be_noun = facts & KNOWN_NOUN and (facts & THING or not facts & KNOWN_ADJECTIVE)
            facts |= IF_NONE_FOLLOWS * bool(facts & KNOWN_ADJECTIVE)
            facts |= IS_TERM * (self._lexicon.find(text, text.endswith("s")) is not None)
        elif facts & PAST:
            may_be_noun = facts & KNOWN_NOUN and facts & THING
            facts |= IF_NONE_FOLLOWS
        else:
            may_be_noun = facts & KNOWN_NOUN and facts & (BARE | MD | RB | UH)
            facts |= IF_NONE_FOLLOWS * bool(facts & MD)
        stops = facts & STOP or (facts & DASH and not facts & NOUN)
        may_cut = (stops and facts & SPACE) or (facts & (NNS | ING) and facts & KNOWN_VERB)
        return facts | MAY_BE_A_NOUN * bool(may_be_noun) | MAY_CUT * bool(may_cut)

    def _about(self, text: str) -> int:
        """The bits of a text in lower case, whatever its tag."""
        kind = self._kinds(text)
        written = plain(text)
        return (
            DASH * (text in _DASHES)
            | HYPHEN * (text in HYPHENS)
            | OF * (text == "of")
            | ING * text.endswith("ing")
            | KNOWN_NOUN * kind.noun
            | THING * kind.thing
            | MOSTLY_NOUN * kind.mostly_noun
            | KNOWN_ADJECTIVE * kind.adjective
            | KNOWN_VERB * kind.verb
            | FOLLOWS_OF * self.beginnings.may_follow_of(written)
            | MAY_BE_FIRST * self.beginnings.may_be_first(written)
            | MAY_BE_SECOND * self.beginnings.may_be_second(written)
            | MARKED * ("-" in written or " " in written)
        )


def _bits_of_tag(tag: str) -> int:
    return sum(bit for bit, tags in _TAGS_OF_BITS.items() if tag in tags)
