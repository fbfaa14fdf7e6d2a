"""What a caption is after parsing: words with tags, and noun chunks; one by one, and many of them as arrays."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from labelgen.arrays.numbers import Numbers
from labelgen.arrays.ragged import Rows, offsets


class Word(NamedTuple):
    """One token: its text as written, its Penn tag, and whether a space follows."""

    text: str
    tag: str
    space_after: bool


class Parse(NamedTuple):
    """One caption. `chunks` are its noun chunks as ranges of words; the head is a chunk's last word."""

    words: tuple[Word, ...]
    chunks: tuple[tuple[int, int], ...]


class Parses(NamedTuple):
    """D parses. words: int64 [N], by their numbers; ends: int64 [D], where each parse's words end.

    chunks: int64 [C, 2], first word and end of each, and chunk_ends: int64 [D]. All are counted through all parses.
    """

    words: np.ndarray
    ends: np.ndarray
    chunks: np.ndarray
    chunk_ends: np.ndarray

    @property
    def num_chunks(self) -> np.ndarray:
        """int64 [D]."""
        return np.diff(self.chunk_ends, prepend=0)

    @property
    def starts(self) -> np.ndarray:
        """int64 [D]: where each parse's words start."""
        return self.ends - np.diff(self.ends, prepend=0)

    def take(self, order: np.ndarray) -> "Parses":
        """These parses, int64 [n], in this order; places are counted anew."""
        own_chunks = self.chunks - np.repeat(self.starts, self.num_chunks)[:, None]
        starts, words = Rows(np.append(0, self.ends), self.words).take(order)
        chunk_starts, chunks = Rows(np.append(0, self.chunk_ends), own_chunks).take(order)
        chunks += np.repeat(starts[:-1], np.diff(chunk_starts))[:, None]
        return Parses(words, starts[1:], chunks, chunk_starts[1:])


def numbered(parses: Sequence[Parse], numbers: Numbers[Word]) -> Parses:
    """Parses as arrays."""
    starts = offsets(np.fromiter((len(parse.words) for parse in parses), np.int64, len(parses)))
    chunk_starts = offsets(np.fromiter((len(parse.chunks) for parse in parses), np.int64, len(parses)))
    words = map(numbers.__getitem__, chain.from_iterable(parse.words for parse in parses))
    places = chain.from_iterable(chain.from_iterable(parse.chunks for parse in parses))
    chunks = np.fromiter(places, np.int64, 2 * int(chunk_starts[-1])).reshape(-1, 2)
    chunks += np.repeat(starts[:-1], np.diff(chunk_starts))[:, None]
    return Parses(np.fromiter(words, np.int64, int(starts[-1])), starts[1:], chunks, chunk_starts[1:])


def one_by_one(parses: Parses, words: Sequence[Word]) -> list[Parse]:
    """Arrays as parses. words: by number."""
    all_words = list(map(words.__getitem__, parses.words.tolist()))
    chunks = parses.chunks - np.repeat(parses.starts, parses.num_chunks)[:, None]
    all_chunks = list(map(tuple, chunks.tolist()))
    bounds = pairwise([0, *parses.ends.tolist()]), pairwise([0, *parses.chunk_ends.tolist()])
    return [
        Parse(tuple(all_words[start:end]), tuple(all_chunks[first:last]))
        for (start, end), (first, last) in zip(*bounds, strict=True)
    ]


def one_after_another(first: Parses, second: Parses) -> Parses:
    """The parses of both."""
    num_words = len(first.words)
    return Parses(
        np.concatenate([first.words, second.words]),
        np.concatenate([first.ends, second.ends + num_words]),
        np.concatenate([first.chunks, second.chunks + num_words]),
        np.concatenate([first.chunk_ends, second.chunk_ends + len(first.chunks)]),
    )
