"""Which two words may begin a term of several: asked of two words, rather than of all longer spans of a chunk."""

from collections.abc import Iterable

from labelgen.lexicon import Lexicon, other_spellings, stems


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

    @staticmethod
    def _in_terms(word: str) -> list[str]:
        """How a term may write its second word, which may be its last, and a plural here."""
        return [form for spelling in _spellings(word) for form in (spelling, *stems(spelling))]


def _spellings(word: str) -> Iterable[str]:
    return (word, *other_spellings(word))
