"""Which two words may begin a term of several: asked of two words, rather than of all longer spans of a chunk."""

import re
from collections.abc import Iterable

from labelgen.dictionary.lexicon import Lexicon, other_spellings, stems

_MARK = re.compile(r"\W")


class Beginnings:
    """The first two words of all that `Lexicon.find` finds in several words. It may say yes where none is found; where
    it says no, none is.

    Words are as `terms.plain` gives them, and without the mark that other spellings leave out.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        pairs = [pair.partition(" ") for pair in lexicon.beginnings]
        self._firsts = frozenset(first for first, _, _ in pairs)
        self._seconds = frozenset(second for _, _, second in pairs)
        across = [term.partition(" of ") for term in lexicon.things() if " of " in term]
        self._after_of = frozenset(start for _, _, after in across for start in _starts(after))
        self._around_of = frozenset(
            (end, start) for before, _, after in across for end in _ends(before) for start in _starts(after)
        )

    def may_be_first(self, word: str) -> bool:
        """True for "polar"."""
        return not self._firsts.isdisjoint(_spellings(word))

    def may_be_second(self, word: str) -> bool:
        """True for "bears", and for "bear"."""
        return not self._seconds.isdisjoint(self._in_terms(word))

    def may_begin(self, first: str, second: str) -> bool:
        """True for "polar" and "bears"."""
        known, seconds = self._lexicon.beginnings, self._in_terms(second)
        return any(f"{spelling} {other}" in known for spelling in _spellings(first) for other in seconds)

    def is_written_as_one(self, first: str, second: str) -> bool:
        """True for "sun" and "glasses"."""
        return self._lexicon.find(first + second, True) is not None

    def may_follow_of(self, word: str) -> bool:
        """True for "prey"."""
        return word in self._after_of

    def may_go_on(self, last: str, following: str) -> bool:
        """True for "birds" and "prey": whether a term may stand before and after "of"."""
        return any((form, following) in self._around_of for form in (last, *self._lexicon.singulars(last)))

    @staticmethod
    def _in_terms(word: str) -> list[str]:
        """How a term may write its second word, which may be its last, and a plural here."""
        # Behind a space an ending may be all of it: "men".
        return [form.lstrip() for spelling in _spellings(word) for form in (spelling, *stems(f" {spelling}"))]


def _spellings(word: str) -> Iterable[str]:
    return (word, *other_spellings(word))


def _starts(text: str) -> list[str]:
    """What of a text may be its first word here: "bird's-eye" → "bird", "bird's", itself."""
    return [text[: mark.start()] for mark in _MARK.finditer(text)] + [text]


def _ends(text: str) -> list[str]:
    """What of a text may be its last word here: "mother-in-law" → "law", "-law", … itself."""
    return [text[at:] for mark in _MARK.finditer(text) for at in mark.span()] + [text]
