"""A label set as multi-label data: the pictures of its samples, and their labels."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelshards import storage
from labelshards.labelset import LabelSet
from labelshards.shards import image_rows
from trainer.probes.data.split import Split
from trainer.stream.samples import Samples


@dataclass(frozen=True, kw_only=True)
class LabelSetPictures:
    """Samples with a picture, in the order of the label set, which is in folder `root`."""

    root: str
    samples: Samples

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def digest(self) -> str:
        """Identity of the label shards, which say where the pictures lie."""
        shards = LabelSet.open(self.root).manifest.shards
        return storage.digest("\n".join(f"{shard.name} {shard.xxh3_64}" for shard in shards).encode())

    def read(self, number: int) -> bytes:
        """The bytes of a sample's picture."""
        return self.samples.read(*self.samples.place(number)).image


def open_label_set(root: str) -> Split:
    """All samples that have a picture, also those without labels. Raises LabelSetError if there are none."""
    label_set = LabelSet.open(root)
    pictures = LabelSetPictures(root=storage.absolute(root), samples=Samples([label_set]))
    labels: list[np.ndarray] = []
    for index in range(len(label_set.manifest.shards)):
        shard = label_set.read_shard(index)
        labels += [shard.labels(row).astype(np.int64) for row in image_rows(shard).tolist()]
    without = label_set.manifest.totals.samples - len(labels)
    return Split.of_many(
        pictures, label_set.vocabulary.synsets, labels, Counter({"no picture": without} if without else {})
    )
