"""A label set as something to draw samples from: (shard, n-th usable sample) → key, image bytes, class ids."""

from collections import OrderedDict
from typing import Literal, NamedTuple

import numpy as np

from labelshards.errors import LabelSetError
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet, ShardEntry
from labelshards.shards import LabelShard, image_rows, labelled_rows


class Sample(NamedTuple):
    """One training sample. labels: int64 [number of labels], class ids, rising."""

    key: str
    image: bytes
    labels: np.ndarray


class Samples:
    """The usable samples of a label set: those with an image and, under `unlabelled="drop"`, with at least one label.

    Holds at most `max_shards` label shards and some open tars; one instance per process. `moved` maps prefixes of
    image URIs to where they lie now. Raises LabelSetError if the label set has no images at all.
    """

    def __init__(
        self,
        label_set: LabelSet,
        *,
        unlabelled: Literal["keep", "drop"] = "keep",
        moved: dict[str, str] | None = None,
        max_shards: int = 16,
    ) -> None:
        if not label_set.manifest.totals.images:
            raise LabelSetError(
                f"{label_set.root} has labels but no images (it was made from captions alone). "
                "Build a label set from image-text shards: `catlip labels build 'shards/*.tar' --out DIR`."
            )
        self._label_set = label_set
        self._unlabelled = unlabelled
        self._reader = ImageReader(moved=moved)
        self._max_shards = max_shards
        self._shards: OrderedDict[int, tuple[LabelShard, np.ndarray]] = OrderedDict()

    def counts(self) -> np.ndarray:
        """int64 [number of shards]: usable samples in each.

        Taken from the manifest alone, so that a billion samples are counted in no time; only shards in which some
        images and some labels are missing must be read.
        """
        return np.array(
            [self._count(index, entry) for index, entry in enumerate(self._label_set.manifest.shards)], dtype=np.int64
        )

    def read(self, shard: int, nth: int) -> Sample:
        """The `nth` usable sample of a shard. Raises LabelSetError if its image or its shard is not what it was."""
        labels, rows = self._shard(shard)
        row = int(rows[nth])
        key = labels.keys[row].as_py()
        place = labels.image(row)
        assert place is not None, "a usable row has an image"
        return Sample(key, self._reader.read(*place, key), labels.labels(row).astype(np.int64))

    def captions(self, shard: int, nth: int) -> list[str]:
        """Captions of a usable sample; empty if the label set does not keep them."""
        labels, rows = self._shard(shard)
        return [] if labels.captions is None else list(labels.captions[int(rows[nth])].as_py())

    def name(self, shard: int, nth: int) -> str:
        """A sample's identity for people: `shard/key`."""
        labels, rows = self._shard(shard)
        return f"{self._label_set.manifest.shards[shard].name}/{labels.keys[int(rows[nth])].as_py()}"

    def _count(self, index: int, entry: ShardEntry) -> int:
        if self._unlabelled == "keep" or entry.images == 0:
            return entry.images
        if entry.images == entry.rows:
            return entry.labelled
        return len(self._usable_rows(self._label_set.read_shard(index)))

    def _usable_rows(self, shard: LabelShard) -> np.ndarray:
        rows = image_rows(shard)
        return np.intersect1d(rows, labelled_rows(shard)) if self._unlabelled == "drop" else rows

    def _shard(self, index: int) -> tuple[LabelShard, np.ndarray]:
        if index not in self._shards:
            if len(self._shards) >= self._max_shards:
                self._shards.popitem(last=False)
            shard = self._label_set.read_shard(index)
            self._shards[index] = shard, self._usable_rows(shard)
        self._shards.move_to_end(index)
        return self._shards[index]
