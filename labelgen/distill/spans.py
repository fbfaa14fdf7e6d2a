"""Pieces in a row → the term that they are, if they are one. What was looked up once is known from then on.

The terms are those of `TermFinder`; here each span of pieces has a number, so that many are looked up at once.
"""

from bisect import bisect_left

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.arrays.numbers import Numbers
from labelgen.dictionary.lexicon import Lexicon, spellings
from labelgen.mentions.terms import without_loose_hyphens

NONE = -1
_UNKNOWN = -2  # not looked up yet
# What a plural may lose at its end, at most, before another ending takes its place.
_LONGEST_ENDING = 3


class Spans:
    """A tree of spans: `roots` are single pieces, `longer` is a span and one more piece.

    texts: the terms that were found, by number.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._forms = lexicon.noun_forms()
        self._marks = sorted(letter for letter in set("".join(self._forms)) if not letter.isalnum())
        self._roots: dict[str, int] = {}
        self._longer: dict[tuple[int, str], int] = {}
        self._surfaces: list[str] = []
        self._extends = Growing(np.bool_)
        # [spans, 4]: for a singular, a plural, and the same where the first of two is a noun.
        self._terms, self._plurals = Growing(np.int32, (4,)), Growing(np.int32, (4,))
        self._numbers = Numbers[str]()
        self.texts = self._numbers.known

    def number(self, text: str) -> int:
        """The number of a term."""
        return self._numbers[text]

    def root(self, piece: str) -> int:
        """The span of one piece (plain, without the space before it)."""
        if piece not in self._roots:
            self._roots[piece] = self._add(piece)
        return self._roots[piece]

    def longer(self, span: int, piece: str) -> int:
        """A span with one more piece (plain, with the space before it), or NONE if no term begins like that."""
        found = self._longer.get((span, piece))
        if found is None:
            surface = self._surfaces[span] + piece
            found = self._add(surface) if self._may_be_known(surface) else NONE
            self._longer[span, piece] = found
        return found

    def extends(self, spans: np.ndarray) -> np.ndarray:
        """bool [n]: whether a term goes on behind each span."""
        found: np.ndarray = self._extends.rows[spans]
        return found

    def terms(self, spans: np.ndarray, variants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the term of each span, int32 [n], or NONE; the plural that is a term of its own, or NONE).

        variants: 1 for a plural + 2 for two pieces that may be written as one, as in "sun glasses".
        """
        found = self._terms.rows[spans, variants]
        new = np.flatnonzero(found == _UNKNOWN)
        if len(new):
            for span, variant in set(zip(spans[new].tolist(), variants[new].tolist(), strict=True)):
                self._terms.rows[span, variant], self._plurals.rows[span, variant] = self._look_up(
                    self._surfaces[span], plural=bool(variant & 1), joined=bool(variant & 2)
                )
            found = self._terms.rows[spans, variants]
        return found, self._plurals.rows[spans, variants]

    def _look_up(self, surface: str, *, plural: bool, joined: bool) -> tuple[int, int]:
        surface = without_loose_hyphens(surface)
        if len(surface) == 1:
            return NONE, NONE
        found = self._lexicon.find(surface, plural)
        if found is None and joined:
            surface = surface.replace(" ", "")
            found = self._lexicon.find(surface, plural)
        if found is None:
            return NONE, NONE
        is_own = plural and surface != found[0] and bool(self._lexicon.senses(surface))
        return self.number(found[0]), self.number(surface) if is_own else NONE

    def _add(self, surface: str) -> int:
        self._surfaces.append(surface)
        self._extends.append([self._goes_on(surface)])
        self._terms.append([[_UNKNOWN] * 4])
        self._plurals.append([[NONE] * 4])
        return len(self._surfaces) - 1

    def _goes_on(self, surface: str) -> bool:
        """Whether a known form begins with these pieces and has one more."""
        surface = without_loose_hyphens(surface)
        if surface.endswith(" -"):
            surface = f"{surface[:-2]}-"
        ways = spellings(surface)
        if not surface[-1:].isalnum():
            return any(map(self._begins, ways))
        return any(self._begins(way + mark) for way in ways for mark in self._marks)

    def _may_be_known(self, surface: str) -> bool:
        """False if no form begins like any spelling of it, the ending left aside."""
        surface = without_loose_hyphens(surface)
        ways = (*spellings(surface), *spellings(surface.replace(" ", "")))
        return any(self._begins(way[:-_LONGEST_ENDING]) for way in ways)

    def _begins(self, text: str) -> bool:
        at = bisect_left(self._forms, text)
        return at < len(self._forms) and self._forms[at].startswith(text)
