"""The distilled labeler: a learnt table in the place of spaCy."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill.features import Describer
from labelgen.distill.find import decode, find, is_head, names
from labelgen.distill.lookup import Lookup
from labelgen.distill.pieces import Pieces, Row
from labelgen.distill.tagger import Tagger
from labelgen.distill.tagset import TAG_OF, chunks_of
from labelgen.distill.weights import Weights
from labelgen.mentions.reader import Captions, Found
from labelgen.mentions.terms import Phrase, Term, TermFinder
from labelgen.parsing.parse import Parse, Word

# Words that are remembered at most, about 500 MB; then everything is looked up anew.
_MAX_WORDS = 500_000


class Distilled:
    """A table at work, in one process. What it finds in a caption depends on nothing but the table and the caption."""

    slow = None

    def __init__(self, lexicon: Lexicon, weights: Weights) -> None:
        self._lexicon = lexicon
        self._weights = weights
        self._finder = TermFinder(lexicon)
        self._describer = Describer(self._finder.mender)
        self._begin()

    @property
    def reader(self) -> "Distilled":
        """It reads many captions at once itself."""
        return self

    def _begin(self) -> None:
        self._pieces = Pieces()
        self._tagger = Tagger(self._weights, self._describer, self._pieces)
        self._lookup = Lookup(self._lexicon, self._finder, self._pieces)

    def forget(self) -> None:
        """Free the memory of words if they are many. Numbers of terms mean nothing any more after it."""
        if len(self._pieces) > _MAX_WORDS:
            self._begin()

    def read(self, texts: Sequence[str]) -> Found:
        """The mentions in clean texts."""
        row = self._pieces.read(texts)
        mentions = find(row.numbers, self._tagger.classes(row.numbers), self._lookup)
        order = np.argsort(mentions.at, kind="stable")
        captions = np.searchsorted(row.firsts, mentions.at[order], side="right") - 1
        return Found(captions, mentions.terms[order], mentions.of[order])

    def mentions(self, read: Found) -> Found:
        """What `read` found."""
        return read

    def is_head(self, terms: np.ndarray) -> np.ndarray:
        """bool [n]: the terms whose role is that of a head."""
        return is_head(terms)

    def term(self, number: int) -> Term:
        """The term that a number of `read` stands for."""
        return decode(number, self._lookup.spans.texts)

    def names(self, terms: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Texts, roles and forms, string [n] each, of the terms that int64 [n] such numbers stand for."""
        return names(terms, self._lookup.spans.texts)

    def parse(self, captions: Captions) -> list[Parse]:
        """What the table makes of clean texts, one by one, as spaCy would say it. For explanations."""
        row = self._pieces.read(captions.texts)
        classes = self._tagger.classes(row.numbers)
        bounds = zip(row.firsts.tolist(), row.ends.tolist(), strict=True)
        return [self._parse(row, classes, first, end) for first, end in bounds]

    def phrases(self, parsed: Parse) -> list[Phrase]:
        """See terms.py. The same mentions as those of `read`."""
        return self._finder.phrases_in(parsed)

    def chunks(self, parsed: Parse) -> list[tuple[str, list[str]]]:
        """See terms.py."""
        return self._finder.chunks_in(parsed)

    def _parse(self, row: Row, classes: np.ndarray, first: int, end: int) -> Parse:
        texts = self._pieces.texts()
        pieces = [texts[number] for number in row.numbers[first:end].tolist()]
        followed = [piece.startswith(" ") for piece in pieces[1:]] + [False]
        tags = [TAG_OF[number] for number in classes[first:end].tolist()]
        words = [Word(piece.strip(" "), tag, space) for piece, tag, space in zip(pieces, tags, followed, strict=True)]
        _, starts, ends = chunks_of(classes[first:end])
        return Parse(tuple(words), tuple(zip(starts.tolist(), ends.tolist(), strict=True)))
