"""Which terms produced each class, with counts and a few captions."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from labelgen.candidates import Texts, read_captions, read_texts
from labelgen.encode import DROPPED, Encoder
from labelgen.resolved import ResolvedShard
from labelshards import schema

_CAPTIONS = 3


class Examples:
    """Adds up what shards tell. Memory: one entry per (class, term), with so many captions."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._counts: dict[tuple[int, str], int] = {}
        self._captions: dict[tuple[int, str], list[str]] = {}
        # Those with all the captions that are kept: most of what comes, once some shards are read.
        self._told: set[tuple[int, str]] = set()

    def add(self, folder: str, name: str, shard: ResolvedShard) -> None:
        """Add what the entries of one shard produced; call it in the order of the shards."""
        self.count(shard, read_texts(folder, name), lambda: read_captions(folder, name))

    def count(self, shard: ResolvedShard, texts: Texts, read: Callable[[], pa.ListArray]) -> None:
        """The same with what the shard's entries are called, and a function that gives captions of each (list [E])."""
        classes = self._encoder.classes(shard.numbers)[shard.produced.labels]
        kept = np.flatnonzero(classes != DROPPED)
        of_entry = shard.produced.entries[kept]
        keys = list(zip(classes[kept].tolist(), texts.of(of_entry), strict=True))
        counts = self._counts
        for key, count in zip(keys, shard.produced.samples[kept].tolist(), strict=True):
            counts[key] = counts.get(key, 0) + count
        wanting = [at for at, key in enumerate(keys) if key not in self._told]
        if not wanting:
            return
        told = read().take(pa.array(of_entry[wanting])).to_pylist()
        for at, bits, of_term in zip(wanting, shard.produced.examples[kept[wanting]].tolist(), told, strict=True):
            known = self._captions.setdefault(keys[at], [])
            new = [text for number, text in enumerate(of_term) if bits >> number & 1 and text not in known]
            known += new[: _CAPTIONS - len(known)]
            if len(known) == _CAPTIONS:
                self._told.add(keys[at])

    def table(self) -> pa.Table:
        """All of them (schema.EXAMPLES), by class, then by falling count."""
        rows = sorted(self._counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
        columns = [
            pa.array([class_id for (class_id, _), _ in rows], pa.uint32()),
            pa.array([term for (_, term), _ in rows], pa.string()),
            pa.array([count for _, count in rows], pa.int64()),
            pa.array([self._captions[key] for key, _ in rows], schema.EXAMPLES.field("captions").type),
        ]
        return pa.table(columns, schema.EXAMPLES)
