"""Mentions of whole batches as arrays → a shard's entries, without a step of Python for each mention."""

from typing import Any

import numpy as np
import pyarrow as pa

from labelgen.arrays.ragged import distinct, offsets, rank_in_row, unique_rows
from labelgen.mentions.gather import EXAMPLES_PER_ENTRY, Gathered
from labelgen.mentions.reader import NONE, Captions, Found, Reader
from labelgen.mentions.termtable import terms_table
from labelshards import schema

_OF_STEP = 1 << 31  # above any number of a term


class AllAtOnce:
    """Like gather.OneByOne. Entries are numbered as they first occur, so how captions are batched does not matter."""

    def __init__(self, reader: Reader) -> None:
        reader.forget()
        self._reader = reader
        self._texts: list[str] = []
        self._counts: list[int] = []  # of each sample's texts
        self._found: list[Found] = []

    def parse(self, captions: Captions) -> Any:  # noqa: ANN401
        """See gather.Gatherer."""
        return self._reader.read(captions.texts)

    def add(self, parsed: Any, texts: list[str], counts: list[int]) -> None:  # noqa: ANN401
        """See gather.Gatherer."""
        found = self._reader.mentions(parsed)
        self._found.append(found._replace(captions=found.captions + len(self._texts)))
        self._texts += texts
        self._counts += counts

    def finish(self) -> Gathered:
        """See gather.Gatherer."""
        none = np.zeros(0, np.int64)
        captions, terms, of = map(np.concatenate, zip(Found(none, none, none), *self._found, strict=True))
        num_rows = len(self._counts)
        rows = np.repeat(np.arange(num_rows), self._counts)
        without_noun = np.array(self._counts, np.int64) > 0
        without_noun[rows[captions[self._reader.is_head(terms)]]] = False

        # Each mention is an entry, and one more together with the head that it modifies.
        keys = np.stack([terms, terms + (of + 1) * _OF_STEP], axis=1).ravel()
        counts = np.stack([np.ones(len(of), np.bool_), of != NONE], axis=1).ravel()
        keys, captions = keys[counts], np.repeat(captions, 2)[counts]
        keys_once, firsts, numbers = np.unique(keys, return_index=True, return_inverse=True)
        # `unique` numbers by key; entries are numbered as they first occur.
        order = np.argsort(firsts)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        numbers = rank[numbers]
        starts, own = unique_rows(rows[captions], numbers, num_rows)
        return Gathered(
            pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(own, pa.uint32())).cast(schema.LABELS),
            terms_table(
                *self._entries(keys_once, order, rank), *self._examples(captions, numbers, len(keys_once), rows)
            ),
            int(without_noun.sum()),
        )

    def _entries(
        self, keys_once: np.ndarray, order: np.ndarray, rank: np.ndarray
    ) -> tuple[tuple[pa.Array, pa.Array, pa.Array], np.ndarray]:
        """What terms_table takes of the terms."""
        keys = keys_once[order]
        terms, of = keys % _OF_STEP, keys // _OF_STEP - 1
        # A head is a mention, too, so its number by itself is one of the keys.
        heads = np.where(of == NONE, NONE, rank[np.searchsorted(keys_once, of) % max(1, len(rank))])
        return self._reader.names(terms), heads

    def _examples(
        self, captions: np.ndarray, numbers: np.ndarray, num_entries: int, rows: np.ndarray
    ) -> tuple[np.ndarray, tuple[pa.Array, pa.Array]]:
        """What terms_table takes of the examples: the first captions of each entry, one repeated at once only once."""
        pairs = distinct(numbers * (len(self._texts) + 1) + captions)
        entries, captions = np.divmod(pairs, len(self._texts) + 1)
        numbers_of_texts: dict[str, int] = {}
        texts = np.array([numbers_of_texts.setdefault(text, len(numbers_of_texts)) for text in self._texts], np.int64)
        own = texts[captions]
        again = (own[1:] == own[:-1]) & (entries[1:] == entries[:-1])
        kept = np.flatnonzero(np.append(True, ~again))[: len(entries)]  # where there is no pair, the first is none
        kept = kept[rank_in_row(entries[kept]) < EXAMPLES_PER_ENTRY]
        starts = offsets(np.bincount(entries[kept], minlength=num_entries))
        told = pa.array(self._texts, pa.string()).take(pa.array(captions[kept]))
        return starts, (pa.array(rows[captions[kept]].astype(np.uint32)), told)
