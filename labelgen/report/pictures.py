"""A few small pictures of each class, within a budget of bytes; one picture serves all classes that it shows."""

import io
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from labelgen.arrays.ragged import Rows, group
from labelgen.report.data import Picture
from labelshards.errors import LabelSetError
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet
from labelshards.shards import LabelShard

_SIDE = 112  # pixels
_QUALITY = 62  # of WebP
# Shards are read whole. Of a large label set some, spread evenly, have pictures enough.
_MOST_SHARDS = 48
_MOST_SAMPLES = 500_000
# A class whose pictures cannot be read is given up after so many.
_TRIES = 4


class Found(NamedTuple):
    """pictures; of_class: for each class of the label set, which of them; problem: why there are no more, or None."""

    pictures: list[Picture]
    of_class: list[list[int]]
    problem: str | None


def thumbnails(
    label_set: LabelSet,
    order: np.ndarray,
    *,
    per_class: int,
    budget_bytes: int,
    moved: dict[str, str],
    on_step: Callable[[int, int], None],
) -> Found:
    """Up to `per_class` pictures of each class, those first in `order` (int64 [K] class ids) first served.

    Every class gets its first picture before any gets its second.
    """
    num_classes = len(label_set.vocabulary)
    found = Found([], [[] for _ in range(num_classes)], None)
    if not (per_class and label_set.manifest.totals.images):
        return found
    album = _Album(label_set, moved)
    used = 0
    rounds = [class_id for _ in range(per_class) for class_id in order.tolist()]
    for done, class_id in enumerate(rounds):
        if done % len(order) == 0:
            wanted = done // len(order) + 1
        if done % 64 == 0:
            on_step(done, len(rounds))
        if used >= budget_bytes:
            break
        if len(found.of_class[class_id]) >= wanted:
            continue
        taken = album.next_of(class_id)
        if taken is None:
            continue
        picture, labels = taken
        used += len(picture.webp) * 4 // 3  # as it stands in the page, in base64
        for label in labels.tolist():
            if len(found.of_class[label]) < per_class:
                found.of_class[label].append(len(found.pictures))
        found.pictures.append(picture)
    on_step(len(rounds), len(rounds))
    album.close()
    problem = album.problem
    if used >= budget_bytes and problem is None:
        problem = f"Pictures end after {len(found.pictures):,}, so that the page stays small."
    return found._replace(problem=problem)


class _Album:
    """Samples with pictures, by class, in an order that depends on nothing but the label set."""

    def __init__(self, label_set: LabelSet, moved: dict[str, str]) -> None:
        chosen = label_set.spread_shards(_MOST_SAMPLES, _MOST_SHARDS)
        self._shards = [label_set.read_shard(index) for index in chosen.tolist()]
        sizes = [len(shard) for shard in self._shards]
        self._bounds = np.cumsum([0, *sizes])
        self._samples = _by_class(self._shards, self._bounds, len(label_set.vocabulary))
        self._next = np.zeros(len(label_set.vocabulary), np.int64)
        self._shown: set[int] = set()
        self._reader = ImageReader(moved=moved)
        self._gone: set[str] = set()
        self.problem: str | None = None

    def next_of(self, class_id: int) -> tuple[Picture, np.ndarray] | None:
        """A picture of the class that was not shown yet, and the labels of its sample; None if there is no more."""
        row = self._samples.row(class_id)
        tries = 0
        while self._next[class_id] < len(row) and tries < _TRIES:
            sample = int(row[self._next[class_id]])
            self._next[class_id] += 1
            if sample in self._shown:
                continue
            self._shown.add(sample)
            number = int(np.searchsorted(self._bounds, sample, side="right")) - 1
            shard, at = self._shards[number], sample - int(self._bounds[number])
            picture = self._read(shard, at)
            if picture is not None:
                return picture, shard.labels(at)
            tries += 1
        return None

    def close(self) -> None:
        self._reader.close()

    def _read(self, shard: LabelShard, row: int) -> Picture | None:
        place = shard.image(row)
        if place is None or place[0].uri in self._gone:
            return None
        key = str(shard.keys[row].as_py())
        try:
            data = self._reader.read(*place, key)
        except LabelSetError as error:
            self._gone.add(place[0].uri)  # a tar that is gone is told once, and not asked again
            self.problem = self.problem or f"Pictures are missing: {error}"
            return None
        small = _small(data)
        if small is None:
            self.problem = self.problem or f"Pictures that cannot be decoded are left out, the first: {key}."
            return None
        captions = shard.captions[row].as_py() if shard.captions is not None else []
        return Picture(small, key, captions[0] if captions else None)


def _by_class(shards: Sequence[LabelShard], bounds: np.ndarray, num_classes: int) -> Rows:
    """Samples that have a picture, by class, mixed."""
    # Each begins with an empty one, as there may be no shard.
    values = np.concatenate([np.empty(0, np.uint32), *(shard.values for shard in shards)])
    lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(shard.offsets) for shard in shards)])
    has_image = np.concatenate(
        [np.empty(0, bool), *(shard.images.is_valid().to_numpy(zero_copy_only=False) for shard in shards)]
    )
    samples = np.repeat(np.arange(int(bounds[-1])), lengths)
    mixed = np.random.default_rng(0).permutation(int(bounds[-1]))
    kept = np.flatnonzero(has_image[samples])
    kept = kept[np.argsort(mixed[samples[kept]], kind="stable")]
    return group(values[kept].astype(np.int64), samples[kept], num_classes)


def _small(data: bytes) -> bytes | None:
    """A square WebP of the picture's middle, or None if nobody can decode it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata, and of pictures as large as bombs
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.draft("RGB", (2 * _SIDE, 2 * _SIDE))  # a JPEG is decoded no larger than needed
                upright = ImageOps.exif_transpose(image).convert("RGB")
            out = io.BytesIO()
            ImageOps.fit(upright, (_SIDE, _SIDE), Image.Resampling.LANCZOS).save(
                out, "WEBP", quality=_QUALITY, method=4
            )
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for damage
            return None
    return out.getvalue()
