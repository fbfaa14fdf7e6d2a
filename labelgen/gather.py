"""The mentions of a shard's captions while it is read → its entries, and the numbers of them that each sample has."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from labelgen.candidates import Entry, Example
from labelgen.labelers import Caption, Labeler
from labelgen.terms import Mention, Phrase, Role, Term
from labelshards import schema

# So many captions of a shard are kept for each term: enough that each of its senses finds an example among them.
EXAMPLES_PER_ENTRY = 4


class Gathered(NamedTuple):
    """What N samples have: see candidates.CandidateShard. num_without_noun: samples with captions, but no label."""

    mentions: pa.ListArray
    entries: list[Entry]
    examples: list[list[Example]]
    num_without_noun: int


class Gatherer(Protocol):
    """Two steps for each batch of samples, so that their times can be told; `finish` when the shard is read."""

    def parse(self, captions: Sequence[Caption]) -> Any:  # noqa: ANN401  (what its own `add` takes)
        """Read the captions of the next samples, all of them in a row."""

    def add(self, parsed: Any, captions: Sequence[Sequence[Caption]]) -> None:  # noqa: ANN401
        """Take what `parse` gave. captions: the same, sample by sample."""

    def finish(self) -> Gathered:
        """All samples' entries."""


class OneByOne:
    """Caption after caption, by a labeler."""

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler
        self._mentions: list[list[int]] = []
        self._entries: dict[tuple[Term, int], int] = {}
        self._heads: set[int] = set()
        self._examples: list[list[Example]] = []
        self._num_without_noun = 0
        self._numbers: dict[Phrase, tuple[int, ...]] = {}
        self._exemplified: set[Phrase] = set()  # those whose entries all have examples enough

    def parse(self, captions: Sequence[Caption]) -> Sequence[Any]:
        """See labelers.Labeler."""
        return self._labeler.parse(captions)

    def add(self, parsed: Sequence[Any], captions: Sequence[Sequence[Caption]]) -> None:
        """See Gatherer."""
        parses = iter(parsed)
        for of_sample in captions:
            entries: set[int] = set()
            for caption in of_sample:
                for phrase in self._labeler.phrases(next(parses)):
                    numbers = self._numbers.get(phrase)
                    if numbers is None:
                        numbers = self._numbers[phrase] = self._numbers_of(phrase)
                    if phrase not in self._exemplified:
                        self._exemplify(phrase, numbers, caption.text)
                    entries.update(numbers)
            if of_sample and self._heads.isdisjoint(entries):
                self._num_without_noun += 1
            self._mentions.append(sorted(entries))

    def finish(self) -> Gathered:
        """See Gatherer."""
        entries = [Entry(term, head) for term, head in self._entries]
        return Gathered(pa.array(self._mentions, schema.LABELS), entries, self._examples, self._num_without_noun)

    def _numbers_of(self, phrase: Phrase) -> tuple[int, ...]:
        """The entries that a phrase gives: its terms, and pairs of them with the head that they modify."""
        numbers = []
        for each in phrase:
            if isinstance(each, Mention):
                numbers.append(self._number(each.term, -1))
                if each.of is not None:
                    numbers.append(self._number(each.term, self._number(each.of, -1)))
        return tuple(numbers)

    def _number(self, term: Term, head: int) -> int:
        number = self._entries.setdefault((term, head), len(self._entries))
        if number == len(self._examples):
            self._examples.append([])
            if term.role is Role.HEAD:
                self._heads.add(number)
        return number

    def _exemplify(self, phrase: Phrase, numbers: tuple[int, ...], caption: str) -> None:
        """Take the caption of the sample now being read as an example of entries that have too few."""
        enough = True
        for number in numbers:
            examples = self._examples[number]
            if len(examples) < EXAMPLES_PER_ENTRY:
                if not examples or examples[-1].caption != caption:
                    examples.append(Example(len(self._mentions), caption))
                enough = enough and len(examples) == EXAMPLES_PER_ENTRY
        if enough:
            self._exemplified.add(phrase)
