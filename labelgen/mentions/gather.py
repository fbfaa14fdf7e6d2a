"""The mentions of a shard's captions while it is read → its entries, and the numbers of them that each sample has."""

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from labelgen.arrays.memory import Memory
from labelgen.arrays.ragged import offsets
from labelgen.mentions.reader import Captions, Labeler
from labelgen.mentions.terms import Mention, Phrase, Role, Term
from labelgen.mentions.termtable import terms_table
from labelshards import schema

# So many captions of a shard are kept for each term: enough that each of its senses finds an example among them. They
# must not be more than eight: which example gave which label is a bit of a byte (resolve.Produced).
EXAMPLES_PER_ENTRY = 4


class Entry(NamedTuple):
    """A term of a shard, or a pair of them: then `head` is the number of the entry that this term modifies, else -1."""

    term: Term
    head: int


class Example(NamedTuple):
    """A caption that has a term, and the row of its sample."""

    row: int
    caption: str


class Gathered(NamedTuple):
    """What N samples have: see candidates.CandidateShard. num_without_noun: samples with captions, but no label."""

    mentions: pa.ListArray
    terms: pa.Table
    num_without_noun: int


class Gatherer(Protocol):
    """Two steps for each batch of samples, so that their times can be told; `finish` when the shard is read."""

    def parse(self, captions: Captions) -> Any:  # noqa: ANN401  (what its own `add` takes)
        """Read the captions of the next samples, all of them in a row."""

    def add(self, parsed: Any, texts: list[str], counts: list[int]) -> None:  # noqa: ANN401
        """Take what `parse` gave of these texts. counts: how many of them each sample has."""

    def finish(self) -> Gathered:
        """All samples' entries."""


class OneByOne:
    """Caption after caption, by a labeler."""

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler
        self._mentions: list[list[int]] = []
        self._entries: list[Entry] = []
        self._terms: dict[Term, int] = {}
        self._pairs: dict[tuple[int, int], int] = {}  # of the entries of a term and of the head that it modifies
        self._heads: set[int] = set()
        self._examples: list[list[Example]] = []
        self._num_without_noun = 0
        self._numbers = Memory(self._numbers_of, sys.maxsize)  # what it knows holds for the whole shard
        self._settled: dict[Phrase, tuple[int, ...]] = {}  # of phrases whose entries all have examples enough

    def parse(self, captions: Captions) -> Sequence[Any]:
        """See reader.Labeler."""
        return self._labeler.parse(captions)

    def add(self, parsed: Sequence[Any], texts: list[str], counts: list[int]) -> None:
        """See Gatherer."""
        captions = zip(parsed, texts, strict=True)
        for count in counts:
            entries: set[int] = set()
            for parse, text in islice(captions, count):
                for phrase in self._labeler.phrases(parse):
                    numbers = self._settled.get(phrase)
                    if numbers is None:
                        numbers = self._numbers[phrase]
                        self._exemplify(phrase, numbers, text)
                    entries.update(numbers)
            if count and self._heads.isdisjoint(entries):
                self._num_without_noun += 1
            self._mentions.append(sorted(entries))

    def finish(self) -> Gathered:
        """See Gatherer."""
        terms = terms_of(self._entries, self._examples)
        return Gathered(pa.array(self._mentions, schema.LABELS), terms, self._num_without_noun)

    def _numbers_of(self, phrase: Phrase) -> tuple[int, ...]:
        """The entries that a phrase gives: its terms, and pairs of them with the head that they modify."""
        numbers = []
        for each in phrase:
            if isinstance(each, Mention):
                term = self._number(each.term)
                numbers.append(term)
                if each.of is not None:
                    pair = term, self._number(each.of)
                    number = self._pairs.get(pair)
                    if number is None:
                        number = self._pairs[pair] = self._add(Entry(each.term, pair[1]))
                    numbers.append(number)
        return tuple(numbers)

    def _number(self, term: Term) -> int:
        number = self._terms.get(term)
        if number is None:
            number = self._terms[term] = self._add(Entry(term, -1))
        return number

    def _add(self, entry: Entry) -> int:
        number = len(self._entries)
        self._entries.append(entry)
        self._examples.append([])
        if entry.term.role is Role.HEAD:
            self._heads.add(number)
        return number

    def _exemplify(self, phrase: Phrase, numbers: tuple[int, ...], caption: str) -> None:
        """Take the caption of the sample now being read as an example of entries that have too few."""
        enough = True
        for number in numbers:
            examples = self._examples[number]
            if len(examples) < EXAMPLES_PER_ENTRY:
                if not examples or examples[-1].caption != caption:  # samples with one text often follow each other
                    examples.append(Example(len(self._mentions), caption))
                enough = enough and len(examples) == EXAMPLES_PER_ENTRY
        if enough:
            self._settled[phrase] = numbers


def terms_of(entries: Iterable[Entry], examples: Sequence[Sequence[Example]]) -> pa.Table:
    """Entries, and a few examples of each, as termtable.TERMS has them."""
    terms, heads = zip(*entries, strict=True) if examples else ((), ())
    texts, roles, forms = zip(*terms, strict=True) if examples else ((), (), ())
    rows, captions = zip(*chain.from_iterable(examples), strict=True) if any(examples) else ((), ())
    starts = offsets(np.fromiter(map(len, examples), np.int64, len(examples)))
    names = pa.array(texts, pa.string()), pa.array(roles, pa.string()), pa.array(forms, pa.string())
    told = pa.array(rows, pa.uint32()), pa.array(captions, pa.string())
    return terms_table(names, np.array(heads, np.int64), starts, told)
