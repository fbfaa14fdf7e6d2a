"""Which terms produced each class, with counts and a few captions."""

import numpy as np
import pyarrow as pa

from labelgen.candidates import read_told
from labelgen.encode import DROPPED, Encoder
from labelgen.resolved import ResolvedShard
from labelgen.termtable import Entries
from labelshards import schema

_CAPTIONS = 3


class Examples:
    """Adds up what shards tell. Memory: one entry per (class, term), with so many captions."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._counts: dict[tuple[int, str], int] = {}
        self._captions: dict[tuple[int, str], list[str]] = {}

    def add(self, folder: str, name: str, shard: ResolvedShard) -> None:
        """Add what the entries of one shard produced; call it in the order of the shards."""
        self.count(shard, *read_told(folder, name))

    def count(self, shard: ResolvedShard, entries: Entries, captions: pa.ListArray) -> None:
        """The same with what the shard's entries are, and captions of each (list<string> [E])."""
        classes = self._encoder.classes(shard.numbers)[shard.produced.labels]
        kept = np.flatnonzero(classes != DROPPED)
        of_entry = shard.produced.entries[kept].tolist()
        heads = entries.heads.tolist()
        texts = [
            entries.texts[at] if heads[at] < 0 else f"{entries.texts[at]} {entries.texts[heads[at]]}" for at in of_entry
        ]
        keys = list(zip(classes[kept].tolist(), texts, strict=True))
        samples = shard.produced.samples[kept].tolist()
        for key, count in zip(keys, samples, strict=True):
            self._counts[key] = self._counts.get(key, 0) + count
        wanting = [at for at, key in enumerate(keys) if len(self._captions.get(key, ())) < _CAPTIONS]
        told = captions.take(pa.array([of_entry[at] for at in wanting], pa.int64())).to_pylist()
        for at, of_term in zip(wanting, told, strict=True):
            bits = int(shard.produced.examples[kept[at]])
            known = self._captions.setdefault(keys[at], [])
            new = [text for number, text in enumerate(of_term) if bits >> number & 1 and text not in known]
            known += new[: _CAPTIONS - len(known)]

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
