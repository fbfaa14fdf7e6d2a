"""Label sets as something to draw samples from: (shard, n-th usable sample) → key, image bytes, class ids."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from labelshards.errors import LabelSetError
from labelshards.images import ImageFile, ImageReader
from labelshards.labelset import LabelSet, ShardEntry
from labelshards.shards import LabelShard, image_rows, labelled_rows
from trainer.stream.shardcache import ShardCache


class Sample(NamedTuple):
    """One training sample. labels: int64 [number of labels], class ids, rising."""

    image: bytes
    labels: np.ndarray


class Samples:
    """The usable samples of label sets: those with an image and, under `unlabelled="drop"`, with at least one label.

    Shards are counted through, label set after label set. Holds at most `max_shards` label shards and some open tars; a
    copy holds none yet. `moved` maps prefixes of image URIs to where they lie now; remote files are fetched into
    `cache`, if there is one. Raises LabelSetError if a label set has no images at all, or another
    vocabulary than the first.
    """

    def __init__(
        self,
        label_sets: Sequence[LabelSet],
        *,
        unlabelled: Literal["keep", "drop"] = "keep",
        moved: dict[str, str] | None = None,
        max_shards: int = 16,
        cache: ShardCache | None = None,
    ) -> None:
        for label_set in label_sets:
            _check(label_set, label_sets[0])
        self._label_sets = label_sets
        self._entries = [(one, index) for one in label_sets for index in range(len(one.manifest.shards))]
        self._unlabelled = unlabelled
        self.cache = cache
        self._reader = ImageReader(moved=moved, fetch=cache.local if cache else None)
        self._max_shards = max_shards
        self._shards: OrderedDict[int, tuple[LabelShard, np.ndarray]] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"_shards": OrderedDict()}

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def place(self, number: int) -> tuple[int, int]:
        """(shard, n-th usable sample in it) of sample `number` of all of them, from 0."""
        shard = int(np.searchsorted(self._firsts, number, side="right")) - 1  # of equals the last: others are empty
        return shard, number - int(self._firsts[shard])

    @cached_property
    def _firsts(self) -> np.ndarray:
        """int64 [shards + 1]: the number of each shard's first usable sample."""
        return np.concatenate([[0], np.cumsum(np.concatenate(self.counts()))])

    def counts(self) -> list[np.ndarray]:
        """For each label set int64 [number of shards]: usable samples in each.

        Taken from the manifest alone, so that a billion samples are counted in no time; only shards in which some
        images and some labels are missing must be read.
        """
        return [
            np.array(
                [self._count(one, index, entry) for index, entry in enumerate(one.manifest.shards)], dtype=np.int64
            )
            for one in self._label_sets
        ]

    def read(self, shard: int, nth: int) -> Sample:
        """The `nth` usable sample of a shard. Raises LabelSetError if its image or its shard is not what it was."""
        labels, rows = self._shard(shard)
        row = int(rows[nth])
        place = labels.image(row)
        assert place is not None, "a usable row has an image"
        return Sample(self._reader.read(*place, labels.keys[row].as_py()), labels.labels(row).astype(np.int64))

    def labels(self, shard: int, nth: int) -> np.ndarray:
        """int64 class ids of a usable sample, without reading its picture."""
        labels, rows = self._shard(shard)
        return labels.labels(int(rows[nth])).astype(np.int64)

    def captions(self, shard: int, nth: int) -> list[str]:
        """Captions of a usable sample; empty if the label set does not keep them."""
        labels, rows = self._shard(shard)
        return [] if labels.captions is None else list(labels.captions[int(rows[nth])].as_py())

    def files(self, shard: int) -> list[ImageFile]:
        """The files in which a shard's images lie, where they are now."""
        return [self._reader.located(file) for file in self._shard(shard)[0].image_files]

    def name(self, shard: int, nth: int) -> str:
        """A sample's identity for people: `shard/key`."""
        labels, rows = self._shard(shard)
        label_set, index = self._entries[shard]
        return f"{label_set.manifest.shards[index].name}/{labels.keys[int(rows[nth])].as_py()}"

    def _count(self, label_set: LabelSet, index: int, entry: ShardEntry) -> int:
        if self._unlabelled == "keep" or entry.images == 0:
            return entry.images
        if entry.images == entry.rows:  # so has every sample that is labelled
            return entry.labelled
        return len(self._usable_rows(label_set.read_shard(index)))

    def _usable_rows(self, shard: LabelShard) -> np.ndarray:
        rows = image_rows(shard)
        return np.intersect1d(rows, labelled_rows(shard)) if self._unlabelled == "drop" else rows

    def _shard(self, shard: int) -> tuple[LabelShard, np.ndarray]:
        if shard not in self._shards:
            if len(self._shards) >= self._max_shards:
                self._shards.popitem(last=False)
            label_set, index = self._entries[shard]
            found = label_set.read_shard(index)
            self._shards[shard] = found, self._usable_rows(found)
        self._shards.move_to_end(shard)
        return self._shards[shard]


def _check(label_set: LabelSet, first: LabelSet) -> None:
    if not label_set.manifest.totals.images:
        raise LabelSetError(
            f"{label_set.root} has labels but no images (it was made from captions alone). "
            "Build a label set from image-text shards: `catlip labels build 'shards/*.tar' --out DIR`."
        )
    if label_set.vocabulary.digest != first.vocabulary.digest:
        raise LabelSetError(
            f"{label_set.root} has another vocabulary than {first.root}. "
            f"Build it again with --vocabulary {first.root}, so that its classes mean the same."
        )
