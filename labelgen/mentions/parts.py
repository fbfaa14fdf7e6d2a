"""Parses → mentions, for many captions at once. What is found is what `TermFinder` finds in one caption; it is asked
once for each word, and for each part that gives more than its words (chunkkinds.py), and remembered.
"""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from labelgen.arrays.growing import Growing
from labelgen.arrays.memory import Memory, NumberMemory
from labelgen.arrays.numbers import Numbers
from labelgen.arrays.ragged import Rows, spans
from labelgen.mentions.chunkkinds import (
    BEFORE_OF,
    COUNTED,
    DETERMINED,
    NUM_AROUND,
    OPENS,
    Asked,
    Asks,
    ChunkKinds,
    look_at,
)
from labelgen.mentions.mending import ADJECTIVE, AROUND, AT_THE_END, FACTS, IN_CHUNK, NOUN, TEXT, VERB
from labelgen.mentions.reader import NONE, Found
from labelgen.mentions.terms import REACH, Mention, Phrase, Role, Term, TermFinder, plain
from labelgen.mentions.wordfacts import STANDS_FOR
from labelgen.parsing.parse import Parses, Word

# Parts that are remembered at most, some 80 MB; captions say the same again and again ("a man", "a white dog").
_MAX_PARTS = 300_000
_BYTES = 4  # of a word in a key
_OF = Word("of", "IN", True)


class Parser(Protocol):
    """What reads texts: nouns.ChunkParser."""

    def parse_all(self, texts: Sequence[str], numbers: Numbers[Word]) -> Parses:
        """The words, by these numbers, and the chunks of each."""


class _Part(NamedTuple):
    """A chunk with what stands around it: words[start:end] of words by the numbers of those that are alike.

    opens: as in TermFinder.part.
    """

    words: bytes
    start: int
    end: int
    opens: bool


class Parts:
    """The parts and the words that were met, as parts by number, and what they give. Numbers are good until `forget`.

    words: the numbers of words, in which `mentions` takes its parses.
    """

    def __init__(self, parser: Parser, finder: TermFinder) -> None:
        self._parser = parser
        self._finder = finder
        self._begin()

    def _begin(self) -> None:
        self._finder.mender.forget()
        self.words = self._finder.mender.facts
        self._terms = Numbers[Term]()
        self._starts, self._mentions = Growing(np.int64), Growing(np.int64, (2,))
        self._starts.append([0, 0])  # part 0, which gives nothing
        self._new: list[tuple[int, int]] = []
        self._new_ends: list[int] = []
        # None of these forgets by itself: numbers must mean the same until `forget`.
        self._last_words = NumberMemory(self._of_last_word)
        self._tails = Memory(self._of_tail, sys.maxsize)
        self._before = NumberMemory(self._before_head)
        self._amid = Memory(self._of_part, sys.maxsize)
        self._of_words = NumberMemory(self._of_word)
        # In the order of Asks.
        asks = self.words.beginnings
        self._of_pairs = tuple(
            Memory(self._of_texts(ask), sys.maxsize) for ask in (asks.may_begin, asks.is_written_as_one, asks.may_go_on)
        )

    def forget(self) -> None:
        """Free the memory of parts if they are many."""
        if len(self._starts) + sum(map(len, self._of_pairs)) > _MAX_PARTS:
            self._begin()

    def read(self, texts: list[str]) -> Parses:
        """The parses of clean texts."""
        return self._parser.parse_all(texts, self.words)

    def names(self, terms: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Texts, roles and forms, string [n] each, of terms by their numbers, int64 [n]."""
        named = map(self._terms.known.__getitem__, terms.tolist())
        texts, roles, forms = zip(*named, strict=True) if len(terms) else ((), (), ())
        return pa.array(texts, pa.string()), pa.array(roles, pa.string()), pa.array(forms, pa.string())

    def is_head(self, terms: np.ndarray) -> np.ndarray:
        """bool [n]: those whose role is that of a head."""
        known = np.fromiter((term.role is Role.HEAD for term in self._terms.known), np.bool_, len(self._terms))
        found: np.ndarray = known[terms]
        return found

    def mentions(self, read: Parses) -> Found:
        """The mentions of captions, in the order of `TermFinder.find`."""
        mended = self._finder.mender.mend_all(read)
        columns = self.words.columns()[mended.words]
        facts, ends = columns[:, FACTS], mended.ends
        starts, stops = mended.chunks[:, 0], mended.chunks[:, 1]
        captions = np.repeat(np.arange(len(ends)), mended.num_chunks)
        texts = columns[:, TEXT]
        kinds = look_at(mended, facts, captions, Asks(*(_asked(memory, texts) for memory in self._of_pairs)))
        of_chunks = np.empty(len(starts), np.int64)
        of_chunks[kinds.alone] = self._of_tails(columns, stops, kinds)
        of_chunks[~kinds.alone] = self._of_others(columns, mended.chunks, kinds)
        before, own = _before_tails(facts, starts, kinds)
        of_before = self._before.look_up(columns[before, IN_CHUNK])
        outside = _outside(facts, mended.chunks)
        of_outside = self._of_words.look_up(mended.words[outside])

        rows = self._rows()
        heads = _heads(rows, of_chunks)
        # Without a head a chunk gives nothing (TermFinder._chunk), whatever stands in it.
        of_before[heads[own] == NONE] = 0
        # A chunk's head, what stands before it from right to left, the next chunk; at last what is outside of them. One
        # number says so: the step is wider than any caption, and what stands before a head is 2 or more from the stop.
        step = len(facts) + 2
        by_caption = np.searchsorted(ends, outside, side="right")
        told = [
            (starts * step + 1, captions, of_chunks, np.full(len(starts), NONE)),
            (starts[own] * step + stops[own] - before, captions[own], of_before, heads[own]),
            (ends[by_caption] * step - 1, by_caption, of_outside, np.full(len(outside), NONE)),
        ]
        places, captions, parts, owners = map(np.concatenate, zip(*told, strict=True))
        order = np.argsort(places, kind="stable")
        asked_by, mentions = rows.expand(parts[order])
        captions, owners = captions[order][asked_by], owners[order][asked_by]
        # A part that is a whole chunk knows its head itself; what stood before one gets that of its chunk.
        return Found(captions, mentions[:, 0], np.where(owners == NONE, mentions[:, 1], owners))

    def _of_tails(self, columns: np.ndarray, stops: np.ndarray, kinds: ChunkKinds) -> np.ndarray:
        """int64: the parts that the last words are of chunks around which nothing else matters."""
        tails, stops, around = kinds.tails[kinds.alone], stops[kinds.alone], kinds.around[kinds.alone]
        at_the_end = columns[:, AT_THE_END]
        is_word = tails == stops - 1
        parts = np.empty(len(tails), np.int64)
        parts[is_word] = self._last_words.look_up((at_the_end[stops - 1] * NUM_AROUND + around)[is_word])
        words = columns[:, IN_CHUNK].astype(np.int32)
        words[stops - 1] = at_the_end[stops - 1]
        # All words as one string of bytes: slices of it are keys, without a step for each word.
        keys, memory = words.tobytes(), self._tails
        longer = zip(*(each[~is_word].tolist() for each in (tails, stops, around)), strict=True)
        parts[~is_word] = [memory[keys[_BYTES * tail : _BYTES * stop], around] for tail, stop, around in longer]
        return parts

    def _of_others(self, columns: np.ndarray, chunks: np.ndarray, kinds: ChunkKinds) -> list[int]:
        """The parts that the other chunks are. Part 0 gives nothing."""
        keys = columns[:, AROUND].astype(np.int32).tobytes()
        parts = []
        taken = 0  # by a term that goes on after "of" across chunks
        of_chunk = (*chunks.T, kinds.by_hyphen, kinds.around & OPENS != 0, kinds.firsts, kinds.lasts)
        for start, stop, by_hyphen, opens, first, last in zip(
            *(each[~kinds.alone].tolist() for each in of_chunk), strict=True
        ):
            if taken >= stop:
                parts.append(0)  # all of it is in a term across "of"
                continue
            own_start = max(start, taken)
            # The hyphen before it, and the word before that one, without which a hyphen joins nothing.
            begin = max(first, own_start - 2) if by_hyphen or start < taken else start
            seen = keys[_BYTES * begin : _BYTES * min(stop + REACH, last)]
            across, part = self._amid[_Part(seen, own_start - begin, stop - begin, opens)]
            taken = begin + across if across else 0
            parts.append(part)
        return parts

    def _of_last_word(self, key: int) -> int:
        word, around = divmod(key, NUM_AROUND)
        return self._of_words_alike((self.words.alike[word],), around)

    def _of_tail(self, key: tuple[bytes, int]) -> int:
        """key: the words by number, and what is around them."""
        return self._of_words_alike(self._alike(key[0]), key[1])

    def _of_words_alike(self, words: tuple[Word, ...], around: int) -> int:
        stands_before = STANDS_FOR[bool(around & COUNTED), bool(around & DETERMINED)]
        seen = stands_before, *words, *((_OF,) if around & BEFORE_OF else ())
        return self._add(self._finder.part(seen, 0, 1 + len(words), bool(around & OPENS))[1])

    def _before_head(self, word: int) -> int:
        return self._add(self._finder.before_head(self.words.alike[word]))

    def _of_part(self, key: _Part) -> tuple[int, int]:
        """(where a term across "of" ends, or 0; the part)."""
        across, phrase = self._finder.part(self._alike(key.words), key.start, key.end, key.opens)
        return across, self._add(phrase)

    def _of_word(self, word: int) -> int:
        return self._add(self._finder.outside(self.words.known[word]))

    def _of_texts(self, ask: Callable[[str, str], bool]) -> Callable[[tuple[int, int]], bool]:
        """`ask` two words, by the numbers of their texts."""
        return lambda pair: ask(*(plain(self.words.texts[text]) for text in pair))

    def _alike(self, key: bytes) -> tuple[Word, ...]:
        return tuple(map(self.words.alike.__getitem__, memoryview(key).cast("i")))

    def _add(self, phrase: Phrase) -> int:
        """The number of a new part that gives this."""
        for each in phrase:
            if isinstance(each, Mention):  # the others are for explanations, which take one caption at a time
                self._new.append((self._terms[each.term], NONE if each.of is None else self._terms[each.of]))
        self._new_ends.append(len(self._mentions) + len(self._new))
        # `_starts` has one more than there are parts, and the new one's end is among `_new_ends` already.
        return len(self._starts) + len(self._new_ends) - 2

    def _rows(self) -> Rows:
        """The mentions of all parts: int64 [n, 2], a term and the head that it modifies."""
        # New parts wait in lists, and go to the arrays once for each batch.
        if self._new_ends:
            self._starts.append(self._new_ends)
            self._new_ends = []
        if self._new:
            self._mentions.append(self._new)
            self._new = []
        return Rows(self._starts.rows, self._mentions.rows)


def _before_tails(facts: np.ndarray, starts: np.ndarray, kinds: ChunkKinds) -> tuple[np.ndarray, np.ndarray]:
    """(words before the tails of chunks that stand alone, the chunk of each), int64 both."""
    (alone,) = np.nonzero(kinds.alone)
    num_before = kinds.tails[alone] - starts[alone]
    before = spans(starts[alone], num_before)
    kept = facts[before] & (NOUN | ADJECTIVE) != 0
    return before[kept], np.repeat(alone, num_before)[kept]


def _outside(facts: np.ndarray, chunks: np.ndarray) -> np.ndarray:
    """int64: verbs, and adjectives outside of chunks."""
    inside = np.zeros(len(facts), np.bool_)
    inside[spans(chunks[:, 0], chunks[:, 1] - chunks[:, 0])] = True
    return np.flatnonzero((facts & VERB != 0) | ((facts & ADJECTIVE != 0) & ~inside))


def _heads(rows: Rows, parts: np.ndarray) -> np.ndarray:
    """int64 [n]: the first term of each part, or NONE."""
    heads = np.full(len(parts), NONE)
    has_head = rows.starts[parts + 1] > rows.starts[parts]
    heads[has_head] = rows.values[rows.starts[parts[has_head]], 0]
    return heads


def _asked(memory: Memory[tuple[int, int], bool], texts: np.ndarray) -> Asked:
    """What is remembered of pairs of words by their texts, int64 [N] of all words."""

    def ask(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        pairs = zip(texts[firsts].tolist(), texts[seconds].tolist(), strict=True)
        return np.fromiter(map(memory.__getitem__, pairs), np.bool_, len(firsts))

    return ask
