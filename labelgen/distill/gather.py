"""Mentions of whole batches as arrays → a shard's entries, without a step of Python for each mention."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labelgen.candidates import Entry, Example
from labelgen.distill.find import is_head
from labelgen.distill.labeler import Distilled, Found
from labelgen.distill.spans import NONE
from labelgen.gather import EXAMPLES_PER_ENTRY, Gathered
from labelgen.labelers import Caption
from labelgen.ragged import distinct
from labelshards import schema

_OF_STEP = 1 << 31  # above any number of a term


class AllAtOnce:
    """Like gather.OneByOne. Entries are numbered as they first occur, so how captions are batched does not matter."""

    def __init__(self, labeler: Distilled) -> None:
        labeler.forget()
        self._labeler = labeler
        self._texts: list[str] = []
        self._rows: list[int] = []  # of each text
        self._num_rows = 0
        self._found: list[Found] = []

    def parse(self, captions: Sequence[Caption]) -> Found:
        """See gather.Gatherer."""
        return self._labeler.read([caption.text for caption in captions])

    def add(self, parsed: Found, captions: Sequence[Sequence[Caption]]) -> None:
        """See gather.Gatherer."""
        self._found.append(parsed._replace(captions=parsed.captions + len(self._texts)))
        for row, of_sample in enumerate(captions, self._num_rows):
            for caption in of_sample:
                self._texts.append(caption.text)
                self._rows.append(row)
        self._num_rows += len(captions)

    def finish(self) -> Gathered:
        """See gather.Gatherer."""
        none = np.zeros(0, np.int64)
        captions, terms, of = map(np.concatenate, zip(Found(none, none, none), *self._found, strict=True))
        rows = np.array(self._rows, np.int64)
        with_noun = np.zeros(self._num_rows, np.bool_)
        with_noun[rows[captions[is_head(terms)]]] = True
        with_caption = np.zeros(self._num_rows, np.bool_)
        with_caption[rows] = True

        # Each mention is an entry, and one more together with the head that it modifies.
        keys = np.stack([terms, terms + (of + 1) * _OF_STEP], axis=1).ravel()
        counts = np.stack([np.ones(len(of), np.bool_), of != NONE], axis=1).ravel()
        keys, captions = keys[counts], np.repeat(captions, 2)[counts]
        keys_once, firsts, numbers = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        numbers = rank[numbers]
        return Gathered(
            _lists(rows[captions], numbers, self._num_rows, len(keys_once)),
            self._entries(keys_once, order, rank),
            self._examples(captions, numbers, len(keys_once)),
            int((with_caption & ~with_noun).sum()),
        )

    def _entries(self, keys_once: np.ndarray, order: np.ndarray, rank: np.ndarray) -> list[Entry]:
        keys = keys_once[order]
        terms, of = keys % _OF_STEP, keys // _OF_STEP - 1
        heads = np.where(of == NONE, NONE, rank[np.searchsorted(keys_once, of) % max(1, len(rank))])
        names = {number: self._labeler.term(number) for number in distinct(terms).tolist()}
        return [Entry(names[term], head) for term, head in zip(terms.tolist(), heads.tolist(), strict=True)]

    def _examples(self, captions: np.ndarray, numbers: np.ndarray, num_entries: int) -> list[list[Example]]:
        """The first captions of each entry, one that is repeated at once only once."""
        pairs = distinct(numbers * (len(self._texts) + 1) + captions)
        entries, captions = np.divmod(pairs, len(self._texts) + 1)
        place = np.arange(len(entries)) - np.searchsorted(entries, entries)
        few = place < EXAMPLES_PER_ENTRY
        examples: list[list[Example]] = [[] for _ in range(num_entries)]
        for entry, caption in zip(entries[few].tolist(), captions[few].tolist(), strict=True):
            of_entry, text = examples[entry], self._texts[caption]
            if not of_entry or of_entry[-1].caption != text:
                of_entry.append(Example(self._rows[caption], text))
        return examples


def _lists(rows: np.ndarray, numbers: np.ndarray, num_rows: int, num_entries: int) -> pa.ListArray:
    """The distinct numbers of each row, rising."""
    pairs = distinct(rows * max(1, num_entries) + numbers)
    rows, numbers = np.divmod(pairs, max(1, num_entries))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_rows))]).astype(np.int32)
    values = pa.array(numbers.astype(np.uint32))
    return pa.ListArray.from_arrays(pa.array(offsets), values).cast(schema.LABELS)
