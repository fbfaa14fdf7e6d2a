"""Resolved shard + vocabulary → label shard. No language is involved, so it runs at millions of samples a second."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import Rows, distinct, offsets
from labelgen.candidates import Report, Samples, read_samples
from labelgen.dictionary.wordnet import id_of
from labelgen.meaning.resolve import COMPOUND_BITS
from labelshards import storage
from labelshards.labelset import ShardEntry
from labelshards.schema import SHARD_FOLDER
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

DROPPED = -1


class Encoder:
    """Numbers of synsets and compounds → class ids of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.numbers = np.array([number_of(wnid) for wnid in vocabulary.wnids], dtype=np.int64)
        self._classes = np.argsort(self.numbers)
        self._sorted = self.numbers[self._classes]

    def classes(self, numbers: np.ndarray) -> np.ndarray:
        """int64: the class id of each number, or DROPPED."""
        places = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        found: np.ndarray = np.where(self._sorted[places] == numbers, self._classes[places], DROPPED)
        return found

    def encode(self, samples: Samples, labels: Sequence[tuple[np.ndarray, Rows]]) -> LabelShard:
        """The shard's rows with class ids; what the vocabulary lacks is dropped, no row is. `labels`: by family."""
        num_rows = len(samples.keys)
        starts, values = self._rows(num_rows, labels)
        return LabelShard(
            keys=samples.keys,
            offsets=starts,
            values=values,
            images=samples.images,
            image_files=samples.report.image_files,
            captions=samples.captions,
        )

    def _rows(self, num_rows: int, labels: Sequence[tuple[np.ndarray, Rows]]) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [N+1] offsets, uint32 class ids, rising and unique in each row)."""
        # A row stands above the bits of a class, in the smallest type that holds both, which is sorted fastest.
        bits = len(self.numbers).bit_length()
        dtype: type[np.uint32] | type[np.int64] = np.uint32 if num_rows << bits < 1 << 32 else np.int64
        dropped = (1 << bits) - 1
        of_row = (np.arange(num_rows) << bits).astype(dtype)
        keys = np.concatenate(
            [
                np.repeat(of_row, places.lengths) | (self.classes(numbers) & dropped).astype(dtype).take(places.values)
                for numbers, places in labels
            ]
        )
        keys = keys[keys & dropped != dropped]
        ordered = np.sort(keys) if len(labels) == 1 else distinct(keys)
        return offsets(np.bincount(ordered >> bits, minlength=num_rows)), (ordered & dropped).astype(np.uint32)


class Encoded(NamedTuple):
    """A label shard that was written: its line in the manifest, its labels, and the report of its candidates."""

    entry: ShardEntry
    labels: LabelShard
    report: Report


def encode_shard(
    *,
    candidate_folder: str,
    out: str,
    source: str,
    name: str,
    resolved: Sequence[tuple[np.ndarray, Rows]],
    encoder: Encoder,
    digest: str,
) -> Encoded:
    """Write label shard `name` of the label set `out`: a pure function of its candidates, labels and vocabulary.

    source: the input shard's URI. digest: the vocabulary's.
    """
    samples = read_samples(candidate_folder, name)
    labels = encoder.encode(samples, resolved)
    file = f"{SHARD_FOLDER}/{name}.parquet"
    labels.check(len(encoder.numbers), file)
    data = labels.to_bytes(digest)
    storage.write_bytes(storage.join(out, file), data)
    entry = ShardEntry(
        name=name,
        rows=len(labels),
        labelled=labels.num_labelled,
        images=samples.report.images,
        bytes=len(data),
        xxh3_64=storage.digest(data),
        source=source,
        damage=samples.report.damage,
    )
    return Encoded(entry, labels, samples.report)


def number_of(wnid: str) -> int:
    """`n02084071` → 102084071, the project's number of the synset; `a00381097+n02958343` → that of the compound."""
    modifier, plus, head = wnid.partition("+")
    return (id_of(modifier) << COMPOUND_BITS) | id_of(head) if plus else id_of(modifier)
