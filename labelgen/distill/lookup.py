"""What the terms need to know of each piece, looked up when the piece first comes."""

from collections.abc import Sequence

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Pos
from labelgen.distill.pieces import Pieces, cut
from labelgen.distill.spans import NONE, Spans
from labelgen.mentions.fragments import HYPHENS
from labelgen.mentions.terms import AUXILIARIES, COUNTING_WORDS, TermFinder, plain, without_loose_hyphens

_OF = " of "


class Lookup:
    """Facts of pieces by their numbers, each a column: `rows` [pieces]."""

    def __init__(self, lexicon: Lexicon, finder: TermFinder, pieces: Pieces) -> None:
        self._lexicon = lexicon
        self._pieces = pieces
        self._finder = finder
        self._plain: list[str] = []
        self._partitive = Growing(np.bool_)
        across = [form.partition(_OF) for form in lexicon.noun_forms() if _OF in form]
        self._before_of = frozenset(cut(before)[0].strip() for before, _, _ in across)
        self._after_of = frozenset(cut(after)[0].strip() for _, _, after in across)
        self.spans = Spans(lexicon)
        self.longest_term_pieces = lexicon.longest_term_words
        self.roots = Growing(np.int64)
        self.attributes, self.actions = Growing(np.int64), Growing(np.int64)
        self.has_space, self.is_hyphen, self.is_capital = (Growing(np.bool_) for _ in range(3))
        self.is_of, self.begins_of, self.follows_of = (Growing(np.bool_) for _ in range(3))
        self.counts = Growing(np.bool_)

    def look_at_new(self) -> None:
        """Look up the pieces that came since the last time."""
        new = self._pieces.texts(len(self._plain))
        if not new:
            return
        written = [piece.strip(" ") for piece in new]
        words = [text.lower() for text in written]
        self._plain += map(plain, new)
        self.roots.append([self.spans.root(plain(text)) for text in written])
        self.attributes.append([self._number(self._lexicon.base(word, Pos.ADJECTIVE)) for word in words])
        actions = [self._lexicon.base(word, Pos.VERB) for word in words]
        self.actions.append([self._number(None if text in AUXILIARIES else text) for text in actions])
        self.has_space.append([piece.startswith(" ") for piece in new])
        self.is_hyphen.append([text in HYPHENS for text in written])
        self.is_capital.append([text[:1].isupper() for text in written])
        self.is_of.append([word == "of" for word in words])
        self.begins_of.append([self._begins_of(plain(text)) for text in written])
        self.follows_of.append([self._follows_of(plain(text)) for text in written])
        self.counts.append([word in COUNTING_WORDS for word in words])

    def longer(self, spans: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """int64 [n]: spans with one more piece each, or NONE where no term begins like that."""
        pairs = zip(spans.tolist(), map(self._plain.__getitem__, numbers.tolist()), strict=True)
        return np.array([self.spans.longer(span, piece) for span, piece in pairs], np.int64)

    def of_term(self, numbers: Sequence[int]) -> int | None:
        """The text of a term with an "of" in it, if the pieces are one."""
        surface = "".join(self._plain[number] for number in numbers).strip()
        text = self._finder.of_term(without_loose_hyphens(surface))
        return None if text is None else self.spans.number(text)

    def partitive(self, texts: np.ndarray) -> np.ndarray:
        """bool [n]: whether each term counts what follows its "of"."""
        new = self.spans.texts[len(self._partitive) :]
        self._partitive.append([self._finder.is_partitive(text) for text in new])
        found: np.ndarray = self._partitive.rows[texts]
        return found

    def _number(self, text: str | None) -> int:
        return NONE if text is None else self.spans.number(text)

    def _begins_of(self, word: str) -> bool:
        """Whether a term with an "of" in it may begin with this piece. Hyphens are pieces: "man-of-war" is no such."""
        return any(each in self._before_of for each in (word, *self._lexicon.singulars(word)))

    def _follows_of(self, word: str) -> bool:
        return word in self._after_of
