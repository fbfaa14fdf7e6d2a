"""Texts → the words in them, each as a row of a table: spaCy's tokenizer, asked once for what stands between spaces.

What the tokenizer makes of a piece of text between two spaces depends on that piece alone, with one exception: its
special cases ("it's", ":)") are also found across a space. Where that may be, the pieces stay together.
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from labelgen.parsing.fastparse.encoder import Encoder


class WordTable:
    """The words that were met, numbered like the rows of an encoder.

    `texts`, `spaced` (whether a space follows), `unsure` bool [rows] (whether it is among those words): of each row.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401  (spaCy is untyped)
        columns: Sequence[str],
        encoder: Encoder,
        unsure: frozenset[str],
    ) -> None:
        self._unsure = unsure
        self._tokenizer = tokenizer
        self._columns = ["NORM", *columns]
        self._spaced_column = 1 + list(columns).index("SPACY")
        self._encoder = encoder
        self._fragments = _fragments(tokenizer)
        self.forget()

    def forget(self) -> None:
        """Empty the table, and the encoder's with it."""
        self._encoder.forget()
        self.texts = [""]
        self.spaced = [False]
        self._numbers: dict[tuple[str, int, bool], int] = {}
        self._new_features: list[np.ndarray] = []
        self._inner = _Pieces(self, before_space=True)
        self._last = _Pieces(self, before_space=False)
        self._opens = self._closes = self.unsure = np.zeros(1, np.bool_)

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [N] words of D texts, rows of the table; int64 [D] how many each has), as the encoder takes them."""
        found = [self._rows_of_pieces(text.split(" ")) for text in texts]
        self._note_new()
        for number in self._joined(*_flat(found)):
            found[number] = self._rows_of_pieces(self._grouped(texts[number].split(" ")))
        self._note_new()
        return _flat(found)

    def _rows_of_pieces(self, pieces: list[str]) -> list[int]:
        *inner, last = pieces
        return list(chain(chain.from_iterable(map(self._inner.__getitem__, inner)), self._last[last]))

    def _grouped(self, pieces: list[str]) -> list[str]:
        """The pieces of a text, with those still in one across whose space a special case may reach."""
        groups = [pieces[0]]
        for before, piece in pairwise(pieces):
            if self.texts[self._inner[before][-1]] + self.texts[self._inner[piece][0]] in self._fragments:
                groups[-1] += f" {piece}"
            else:
                groups.append(piece)
        return groups

    def _joined(self, words: np.ndarray, lengths: np.ndarray) -> list[int]:
        """The numbers of texts in which a special case may reach across a space."""
        (at,) = np.nonzero(self._opens[words[:-1]] & self._closes[words[1:]])
        firsts, seconds = words[at].tolist(), words[at + 1].tolist()
        joined = [
            self.texts[first] + self.texts[second] in self._fragments
            for first, second in zip(firsts, seconds, strict=True)
        ]
        texts = np.searchsorted(np.cumsum(lengths), at[np.array(joined, np.bool_)], side="right")
        return list(dict.fromkeys(texts.tolist()))

    def _note_new(self) -> None:
        """Let the encoder learn the words that were added, and note what else is to be known of them."""
        if not self._new_features:
            return
        self._encoder.learn(np.stack(self._new_features))
        texts = self.texts[-len(self._new_features) :]
        spaced = np.array(self.spaced[-len(texts) :])
        closes = np.array([text in self._fragments for text in texts])
        self._closes = np.concatenate([self._closes, closes])
        self._opens = np.concatenate([self._opens, closes & spaced])
        self.unsure = np.concatenate([self.unsure, [text.lower() in self._unsure for text in texts]])
        self._new_features = []

    def piece(self, piece: str, *, before_space: bool) -> list[int]:
        """The rows of a piece of text."""
        doc = self._tokenizer(piece)
        array = doc.to_array(self._columns)
        if before_space:
            array[-1, self._spaced_column] = 1
        rows = []
        for token, values in zip(doc, array, strict=True):
            spaced = bool(values[self._spaced_column])
            # With its norm: special cases give the same text several ("'s" of "it's" and of "let's").
            key = (token.text, int(values[0]), spaced)
            number = self._numbers.setdefault(key, len(self.texts))
            if number == len(self.texts):
                self.texts.append(token.text)
                self.spaced.append(spaced)
                self._new_features.append(values[1:])
            rows.append(number)
        return rows


def _flat(found: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    return np.fromiter(chain.from_iterable(found), np.int64, int(lengths.sum())), lengths


class _Pieces(dict[str, list[int]]):
    """Pieces of text → the rows of their words; what is not there yet is asked for."""

    def __init__(self, table: WordTable, *, before_space: bool) -> None:
        self._table = table
        self._before_space = before_space

    def __missing__(self, piece: str) -> list[int]:
        rows = self[piece] = self._table.piece(piece, before_space=self._before_space)
        return rows


def _fragments(tokenizer: Any) -> frozenset[str]:  # noqa: ANN401
    """All parts of the special cases that the tokenizer also looks for after it has cut a text."""
    looked_for = [
        case
        for case in tokenizer.rules
        if tokenizer.find_prefix(case) or tokenizer.find_suffix(case) or tokenizer.find_infix(case)
    ]
    return frozenset(
        case[start:end] for case in looked_for for start in range(len(case)) for end in range(start + 1, len(case) + 1)
    )
