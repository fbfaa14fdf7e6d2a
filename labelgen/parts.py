"""Parses → mentions, for many captions at once: their parts, each looked up as a whole. What is found is what
`TermFinder` finds in one caption; it is asked once for each part that differs.
"""

import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from labelgen.fragments import Mended
from labelgen.growing import Growing
from labelgen.memory import Memory
from labelgen.mending import (
    ADJECTIVE,
    AFTER_OPENING,
    AROUND,
    AT_THE_END,
    BEGINS_OF,
    FACTS,
    FOLLOWS_OF,
    HYPHEN,
    IN_CHUNK,
    OF,
    SPACE,
    VERB,
)
from labelgen.parse import Parse, Word
from labelgen.ragged import Rows
from labelgen.reader import NONE, Found
from labelgen.terms import REACH, Mention, Phrase, Role, Term, TermFinder

# Parts that are remembered at most, some 80 MB; captions say the same again and again ("a man", "a white dog").
_MAX_PARTS = 300_000
_BYTES = 4  # of a word in a key
_AMID_OTHERS = 2  # the last of three kinds of chunks: alone, before "of", and those around which more is looked at
_OF = Word("of", "IN", True)


class Parser(Protocol):
    """What reads texts: nouns.ChunkParser."""

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """The words and chunks of each."""


class _Part(NamedTuple):
    """A chunk with what stands around it: words[start:end] of words by the numbers of those that are alike.

    opens: as in TermFinder.part.
    """

    words: bytes
    start: int
    end: int
    opens: bool


class Parts:
    """The parts that were met, by number, and what they give. Numbers are good until `forget`."""

    def __init__(self, parser: Parser, finder: TermFinder) -> None:
        self._parser = parser
        self._finder = finder
        self._begin()

    def _begin(self) -> None:
        self._finder.mender.forget()
        self._words = self._finder.mender.facts
        self._terms: dict[Term, int] = {}
        self._starts, self._mentions = Growing(np.int64), Growing(np.int64, (2,))
        self._starts.append([0, 0])
        self._new: list[tuple[int, int]] = []
        self._new_ends: list[int] = []
        # Of chunks around which nothing matters, and of those before an "of" with which no term goes on.
        self._alone = Memory(self._of_chunk, sys.maxsize), Memory(self._of_chunk_before_of, sys.maxsize)
        self._amid = Memory(self._of_part, sys.maxsize)
        self._of_words = Memory(self._of_word, sys.maxsize)

    def forget(self) -> None:
        """Free the memory of parts if they are many."""
        if len(self._starts) > _MAX_PARTS:
            self._begin()

    def read(self, texts: list[str]) -> list[Parse]:
        """The parses of clean texts."""
        return self._parser.parse(texts)

    def names(self, terms: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Texts, roles and forms, string [n] each, of terms by their numbers."""
        known = list(self._terms)
        texts, roles, forms = zip(*map(known.__getitem__, terms.tolist()), strict=True) if len(terms) else ((), (), ())
        return pa.array(texts, pa.string()), pa.array(roles, pa.string()), pa.array(forms, pa.string())

    def is_head(self, terms: np.ndarray) -> np.ndarray:
        """bool [n]: those whose role is that of a head."""
        known = np.fromiter((term.role is Role.HEAD for term in self._terms), np.bool_, len(self._terms))
        found: np.ndarray = known[terms]
        return found

    def mentions(self, read: Sequence[Parse]) -> Found:
        """The mentions of captions, in the order of `TermFinder.find`."""
        mended = self._finder.mender.mend_all(read)
        facts = self._words.columns()[mended.words, FACTS]
        captions = np.repeat(np.arange(len(mended.ends)), np.diff(mended.chunk_ends, prepend=0))
        of_chunks = self._of_chunks(mended, facts, captions)
        inside = np.zeros(len(facts) + 1, np.int64)
        inside[mended.chunks[:, 0]] += 1
        inside[mended.chunks[:, 1]] -= 1
        outside = np.cumsum(inside)[:-1] == 0
        (at,) = np.nonzero((facts & VERB != 0) | ((facts & ADJECTIVE != 0) & outside))
        of_words = np.array(list(map(self._of_words.__getitem__, mended.words[at].tolist())), np.int64)
        captions = np.concatenate([captions, np.searchsorted(mended.ends, at, side="right")])
        order = np.argsort(captions, kind="stable")
        captions, parts = captions[order], np.concatenate([of_chunks, of_words])[order]
        places, mentions = self._rows().expand(parts)
        return Found(captions[places], mentions[:, 0], mentions[:, 1])

    def _of_chunks(self, mended: Mended, facts: np.ndarray, captions: np.ndarray) -> np.ndarray:
        """int64 [C]: the part that each chunk is. Part 0 gives nothing."""
        words, ends, chunks, _ = mended
        columns = self._words.columns()
        starts, stops = chunks[:, 0], chunks[:, 1]
        firsts, lasts = (ends - np.diff(ends, prepend=0))[captions], ends[captions]
        alike = columns[words, IN_CHUNK].astype(np.int32)
        alike[stops - 1] = columns[words[stops - 1], AT_THE_END]
        inside, around = alike.tobytes(), columns[words, AROUND].astype(np.int32).tobytes()

        facts = np.append(facts, (0, 0))
        is_last = stops == lasts
        opens = (starts == firsts) & (stops == starts + 1) & ~is_last & (facts[stops] & AFTER_OPENING != 0)
        is_hyphen = facts & HYPHEN != 0
        by_hyphen = is_hyphen[starts] | (is_hyphen & (facts & SPACE == 0))[starts - 1] & (starts > firsts + 1)
        before_of = (facts[stops] & OF != 0) & ~is_last
        begins = np.append(0, np.cumsum(facts & BEGINS_OF != 0))
        goes_on = before_of & (facts[stops + 1] & FOLLOWS_OF != 0) & (begins[stops] > begins[starts])
        looked_up = np.where(opens | by_hyphen | goes_on, _AMID_OTHERS, before_of.astype(np.int64))
        parts = []
        taken = 0  # by a term that goes on after "of" across chunks
        of_chunk = (starts, stops, looked_up, by_hyphen, opens, firsts, lasts)
        for start, stop, kind, needs_before, is_opening, first, last in zip(
            *(c.tolist() for c in of_chunk), strict=True
        ):
            if start >= taken and kind != _AMID_OTHERS:
                parts.append(self._alone[kind][inside[_BYTES * start : _BYTES * stop]])
            elif taken < stop:
                own_start = max(start, taken)
                begin = max(first, own_start - 2) if needs_before or start < taken else start
                seen = around[_BYTES * begin : _BYTES * min(stop + REACH, last)]
                across, part = self._amid[_Part(seen, own_start - begin, stop - begin, is_opening)]
                taken = begin + across if across else 0
                parts.append(part)
            else:
                parts.append(0)
        return np.array(parts, np.int64)

    def _of_chunk(self, key: bytes) -> int:
        words = self._alike(key)
        return self._add(self._finder.part(words, 0, len(words))[1])

    def _of_chunk_before_of(self, key: bytes) -> int:
        words = self._alike(key)
        return self._add(self._finder.part((*words, _OF), 0, len(words))[1])

    def _of_part(self, key: _Part) -> tuple[int, int]:
        """(where a term across "of" ends, or 0; the part)."""
        across, phrase = self._finder.part(self._alike(key.words), key.start, key.end, key.opens)
        return across, self._add(phrase)

    def _of_word(self, word: int) -> int:
        return self._add(self._finder.outside(self._words.words[word]))

    def _alike(self, key: bytes) -> tuple[Word, ...]:
        return tuple(map(self._words.alike.__getitem__, memoryview(key).cast("i")))

    def _add(self, phrase: Phrase) -> int:
        """The number of a new part that gives this."""
        for each in phrase:
            if isinstance(each, Mention):
                self._new.append((self._number(each.term), NONE if each.of is None else self._number(each.of)))
        self._new_ends.append(len(self._mentions) + len(self._new))
        return len(self._starts) + len(self._new_ends) - 2

    def _rows(self) -> Rows:
        """The mentions of all parts: int64 [n, 2], a term and the head that it modifies."""
        if self._new_ends:
            self._starts.append(self._new_ends)
            self._new_ends = []
        if self._new:
            self._mentions.append(self._new)
            self._new = []
        return Rows(self._starts.rows, self._mentions.rows)

    def _number(self, term: Term) -> int:
        return self._terms.setdefault(term, len(self._terms))
