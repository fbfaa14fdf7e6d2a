"""Mends what a tagger of sentences makes of captions, which are mostly fragments.

"compass on a table" is no command, "a girl feeding pigeons" no kind of pigeon, "a policeman grins" no kind of grin.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from labelgen.lexicon import Lexicon
from labelgen.memory import Memory
from labelgen.nouns import Parse, Word
from labelgen.wordnet import Pos

NOUN_TAGS = frozenset({"NN", "NNS", "NNP", "NNPS"})
ADJECTIVE_TAGS = frozenset({"JJ", "JJR", "JJS"})

_BARE_VERB_TAGS = frozenset({"VB", "VBP"})
_PAST_TAGS = frozenset({"VBD", "VBN"})
_BEFORE_A_VERB = frozenset({"MD", "TO", "PRP", "NNS", "NNPS", "WP", "WDT", "EX", "RB"})
_AFTER_A_VERB = frozenset({"DT", "PDT", "PRP$", "PRP", "TO", "RP", "CD", "JJ", "NN", "NNS"})
_AFTER_A_NOUN = frozenset({"IN", "CC", ",", ".", "VBG", "VBN", ""})
_OPEN_TAGS = _BARE_VERB_TAGS | _PAST_TAGS | ADJECTIVE_TAGS | {"VBZ", "VBG", "RB", "UH", "FW"}
_GOES_ON = frozenset({"CC", ","})  # "a blue and white cup"
_STOPS = frozenset({":", ",", "-LRB-", "-RRB-"})
_DASHES = frozenset({"-", "--", "\u2013", "\u2014"})
_DETERMINERS = frozenset({"DT", "PRP$"})
_OPENS_A_NOUN = frozenset({"DT", "PRP$", "CD", "JJ", "JJR", "JJS"})
_SHORT = 5
_A_NAME = 3  # words; a caption so short is likely the name of what it shows


class Kinds(NamedTuple):
    """What WordNet knows of a word as it is written, in lower case."""

    noun: bool
    plural: bool
    thing: bool
    mostly_noun: bool
    adjective: bool
    verb: bool


# What a word may need, as bits; most words of most captions need nothing, and are not looked at again.
_MAY_BE_A_NOUN, _IF_NONE_FOLLOWS, _IS_NOUN, _MAY_CUT = 1, 2, 4, 8
_MAY_BE_NOUNS, _NOUNS, _CUTS = (
    frozenset(hint for hint in range(16) if hint & bit) for bit in (_MAY_BE_A_NOUN, _IS_NOUN, _MAY_CUT)
)


class Mender:
    """Mends parses with what WordNet knows of their words."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.kinds = lru_cache(maxsize=100_000)(self._look_up)
        self._hints = Memory(self._hint)
        self._is_term = lru_cache(maxsize=100_000)(lambda text: lexicon.find(text, text.endswith("s")) is not None)

    def mend(self, parse: Parse) -> Parse:
        """The same words under better tags, in better chunks."""
        hints = list(map(self._hints.__getitem__, parse.words))
        if len(hints) > _A_NAME and _MAY_BE_NOUNS.isdisjoint(hints):
            if _CUTS.isdisjoint(hints) and _is_covered(hints, parse.chunks):
                return parse
            words = list(parse.words)
        else:
            words = self._retagged(parse.words, hints)
            hints = list(map(self._hints.__getitem__, words))
        chunks: list[tuple[int, int]] = []
        for start, end in _covering(words, hints, parse.chunks):
            if chunks and chunks[-1][1] == start and self._is_term(_joined(words, start - 1, start + 1)):
                start = chunks.pop()[0]  # "a brown teddy" and "bear"
            if _CUTS.isdisjoint(hints[start + 1 : end]):
                chunks.append((start, end))
            else:
                chunks += self._cut(words, start, end)
        return Parse(tuple(words), tuple(chunks))

    def _retagged(self, unmended: Sequence[Word], hints: list[int]) -> list[Word]:
        words = list(unmended)
        before: list[Word] = []
        while words != before:  # a word that became a noun may make one of the word before: "swimming pool"
            before = list(words)
            for at, hint in enumerate(hints):
                is_open = hint & _MAY_BE_A_NOUN and words[at] is unmended[at]
                if is_open and not (hint & _IF_NONE_FOLLOWS and _goes_on(words, at)):
                    self._retag(words, at)
        if len(words) <= _A_NAME and not any(word.tag in NOUN_TAGS | _BEFORE_A_VERB for word in words):
            self._find_a_noun(words)
        return words

    def _hint(self, word: Word) -> int:
        """What a word may need, whatever stands around it. Of most words only the tag is asked."""
        text, tag = word.text.lower(), word.tag
        may_be_noun = if_none_follows = False
        if tag in ADJECTIVE_TAGS:
            kind = self.kinds(text)
            may_be_noun, if_none_follows = kind.noun and (kind.thing or not kind.adjective), kind.adjective
        elif tag in _PAST_TAGS:
            kind = self.kinds(text)
            may_be_noun, if_none_follows = kind.noun and kind.thing, True
        elif tag in _BARE_VERB_TAGS or tag in ("MD", "RB", "UH"):
            may_be_noun, if_none_follows = self.kinds(text).noun, tag == "MD"
        may_stop = tag in _STOPS or (word.text in _DASHES and tag not in NOUN_TAGS)
        may_cut = may_stop and word.space_after
        if tag == "NNS" or text.endswith("ing"):
            may_cut = may_cut or self.kinds(text).verb
        return (
            _MAY_BE_A_NOUN * may_be_noun
            + _IF_NONE_FOLLOWS * if_none_follows
            + _IS_NOUN * (tag in NOUN_TAGS)
            + _MAY_CUT * may_cut
        )

    def _kind(self, word: Word) -> Kinds:
        return self.kinds(word.text.lower())

    def _retag(self, words: list[Word], at: int) -> None:
        word, kind = words[at], self._kind(words[at])
        before = words[at - 1].tag if at else ""
        after = words[at + 1].tag if at + 1 < len(words) else ""
        if word.tag in ADJECTIVE_TAGS:  # "a pink tutu", "a photo of a safe", "a steam locomotive"
            ends = after in _AFTER_A_NOUN - _GOES_ON and kind.thing
            is_noun = not kind.adjective or (
                ends and (before in _DETERMINERS or self._is_term(_joined(words, at - 1, at + 1)))
            )
        elif word.tag == "MD":  # "a milk can"
            is_noun = (before in NOUN_TAGS or before in _DETERMINERS) and after in _AFTER_A_NOUN
        elif word.tag in _BARE_VERB_TAGS or (word.tag in ("RB", "UH") and at == 0 and len(word.text) >= _SHORT):
            likely = (kind.thing or not kind.verb) and kind.mostly_noun and after not in _AFTER_A_VERB
            acts = not at or self._kind(words[at - 1]).thing or before != "NN"
            is_noun = (
                (likely and before not in _BEFORE_A_VERB)
                or (kind.thing and not acts and after in _AFTER_A_NOUN)  # "a luxury watch with"
                or self._is_of_a_term(words, at)
            )
        elif word.tag == "RB":  # "a blue dragonfly"
            is_noun = before in _OPENS_A_NOUN and kind.thing and not kind.adjective and not kind.verb
        else:  # "a red rose in a vase"
            opened = before in _OPENS_A_NOUN or (
                at > 1 and words[at - 2].tag == "DT" and self._kind(words[at - 1]).adjective
            )
            is_noun = word.tag in _PAST_TAGS and kind.thing and opened and after in _AFTER_A_NOUN
        if is_noun:
            words[at] = word._replace(tag="NNS" if kind.plural else "NN")

    def _is_of_a_term(self, words: list[Word], at: int) -> bool:
        """True for either word of "stop sign", if the other one is a noun and no verb is expected here."""
        if at and words[at - 1].tag in NOUN_TAGS:
            return self._is_term(_joined(words, at - 1, at + 1))
        follows = at + 1 < len(words) and words[at + 1].tag in NOUN_TAGS
        return follows and not at and self._is_term(_joined(words, at, at + 2))

    def _cut(self, words: list[Word], start: int, end: int) -> list[tuple[int, int]]:
        """One chunk, cut after a noun at verbs and stops: "a girl | feeding | pigeons", "a hen | : | a bird"."""
        pieces = []
        for at in range(start + 1, end):
            if words[at - 1].tag not in NOUN_TAGS:
                continue
            if self._is_stop(words, at):
                pieces.append((start, at))
                start = at + 1
            elif self._is_deed(words, at, end):
                words[at] = words[at]._replace(tag="VBG" if words[at].text.lower().endswith("ing") else "VBZ")
                pieces.append((start, at))
                start = at + 1
        return [*pieces, (start, end)] if start < end else pieces

    def _is_stop(self, words: list[Word], at: int) -> bool:
        """True for punctuation between phrases, and for a dash with spaces around it, but not in "a close - up"."""
        before, word = words[at - 1], words[at]
        if word.text in _DASHES and before.space_after and word.space_after and word.tag not in NOUN_TAGS:
            return at + 1 == len(words) or not self._is_term(f"{before.text}-{words[at + 1].text}".lower())
        return word.tag in _STOPS and word.space_after

    def _is_deed(self, words: list[Word], at: int, end: int) -> bool:
        """True if a word after a noun is what the noun does. A term of WordNet is never cut."""
        word, kind, text = words[at], self._kind(words[at]), words[at].text.lower()
        if not kind.verb or (kind.thing and word.tag != "VBG"):
            return False
        if text.endswith("ing"):
            goes_on = at + 1 < end and self._is_term(_joined(words, at, at + 2))
            is_deed = word.tag in ("VBG", "NN") and not goes_on
        else:
            is_deed = word.tag == "NNS" and at == end - 1 and self._kind(words[at - 1]).thing
        return is_deed and not self._is_term(_joined(words, at - 1, at + 1))

    def _find_a_noun(self, words: list[Word]) -> None:
        """Take the last word that names a thing for a noun."""
        for at in range(len(words) - 1, -1, -1):
            kind = self._kind(words[at])
            if words[at].tag in _OPEN_TAGS and kind.noun and kind.thing and not kind.adjective:
                words[at] = words[at]._replace(tag="NNS" if kind.plural else "NN")
                return

    def _look_up(self, text: str) -> Kinds:
        lexicon = self._lexicon
        singulars = lexicon.singulars(text)
        base = lexicon.base(text, Pos.VERB)
        noun = text if lexicon.senses(text) else next(iter(singulars), None)
        as_noun = 0 if noun is None else lexicon.uses(noun, Pos.NOUN)
        return Kinds(
            noun=noun is not None,
            plural=bool(singulars) and not lexicon.senses(text),
            thing=lexicon.is_thing(text) or any(map(lexicon.is_thing, singulars)),
            mostly_noun=as_noun >= (0 if base is None else lexicon.uses(base, Pos.VERB)),
            adjective=lexicon.base(text, Pos.ADJECTIVE) is not None,
            verb=base is not None,
        )


def _goes_on(words: list[Word], at: int) -> bool:
    """True if what follows a word tells that it is no noun."""
    return at + 1 < len(words) and words[at + 1].tag not in _AFTER_A_NOUN


def _joined(words: list[Word], start: int, end: int) -> str:
    return " ".join(word.text for word in words[start:end]).lower()


def _is_covered(hints: list[int], chunks: tuple[tuple[int, int], ...]) -> bool:
    """True if no noun stands outside of the chunks, and something between any two of them."""
    at = 0
    for start, end in chunks:
        if (start == at and at) or not _NOUNS.isdisjoint(hints[at:start]):
            return False
        at = end
    return _NOUNS.isdisjoint(hints[at:])


def _covering(words: list[Word], hints: list[int], chunks: tuple[tuple[int, int], ...]) -> Sequence[tuple[int, int]]:
    """The chunks, and the nouns outside of them: as more of the chunk before, or as chunks of their own."""
    if _is_covered(hints, chunks):
        return chunks
    inside = [False] * len(words)
    for start, end in chunks:
        inside[start:end] = [True] * (end - start)
    found = list(chunks)
    at = 0
    while at < len(words):
        if inside[at] or words[at].tag not in NOUN_TAGS:
            at += 1
            continue
        end = at
        while end < len(words) and not inside[end] and words[end].tag in NOUN_TAGS:
            end += 1
        if at and inside[at - 1] and words[at - 1].tag in NOUN_TAGS:
            start = next(first for first, last in found if last == at)
            found.remove((start, at))
        else:
            start = at
            while start and not inside[start - 1] and words[start - 1].tag in _OPENS_A_NOUN:
                start -= 1
        found.append((start, end))
        at = end
    return sorted(found)
