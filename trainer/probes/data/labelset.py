"""A label set as multi-label data: the pictures of its samples, and their labels."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelshards import storage
from labelshards.labelset import LabelSet
from trainer.probes.data.split import Split
from trainer.stream.samples import Samples


@dataclass(frozen=True, kw_only=True)
class LabelSetPictures:
    """Samples with a picture, in the order of the label set. firsts: int64, the number of each shard's first one."""

    root: str
    firsts: np.ndarray

    def __len__(self) -> int:
        return int(self.firsts[-1])

    @cached_property
    def digest(self) -> str:
        """Identity of the label shards, which say where the pictures lie."""
        shards = LabelSet.open(self.root).manifest.shards
        return storage.digest("\n".join(f"{shard.name} {shard.xxh3_64}" for shard in shards).encode())

    def read(self, number: int) -> bytes:
        """The bytes of a sample's picture."""
        shard = int(np.searchsorted(self.firsts, number, side="right")) - 1
        return self._samples.read(shard, number - int(self.firsts[shard])).image

    @cached_property
    def _samples(self) -> Samples:
        return Samples([LabelSet.open(self.root)])

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "firsts": self.firsts}


def open_label_set(root: str) -> Split:
    """All samples that have a picture, also those without labels. Raises LabelSetError if there are none."""
    label_set = LabelSet.open(root)
    counts = Samples([label_set]).counts()[0]
    labels: list[np.ndarray] = []
    for index in range(len(counts)):
        shard = label_set.read_shard(index)
        has_image = shard.images.is_valid().to_numpy(zero_copy_only=False)
        labels += [shard.labels(row).astype(np.int64) for row in np.flatnonzero(has_image).tolist()]
    pictures = LabelSetPictures(root=storage.absolute(root), firsts=np.concatenate([[0], np.cumsum(counts)]))
    without = label_set.manifest.totals.samples - len(labels)
    return Split.of_many(
        pictures, label_set.vocabulary.synsets, labels, Counter({"no picture": without} if without else {})
    )
