"""Whether a label set on disk is what its manifest says, and whether the images are still where it says they are."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from labelshards import schema, storage
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile, ImageReader
from labelshards.labelset import LabelSet, ShardEntry, shard_file
from labelshards.shards import LabelShard, image_rows

# Of one shard so many faulty images are told; a tar that was replaced has no other.
_TOLD_IMAGES = 3
# Headers in a remote store are small requests, which it answers many at once.
_REQUESTS_AT_ONCE = 32


@dataclass(kw_only=True)
class Verified:
    """What was checked, and all that is wrong, a line each. `images`: those whose place was checked (deep)."""

    files: int = 0
    rows: int = 0
    images: int = 0
    wrong: list[str] = field(default_factory=list)


def verify(
    root: str,
    *,
    deep: bool = False,
    moved: Mapping[str, str] | None = None,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verified:
    """Check hashes, row counts, the vocabulary's digest, labels and totals of the label set in folder `root`.

    deep: also the tar header of every image, and the size of every picture file; `moved` as ImageReader has it.
    `on_step` hears of shards done and in all. Raises LabelSetError where there is no label set to be checked.
    """
    label_set = LabelSet.open(root)
    manifest = label_set.manifest
    found = Verified(files=1)  # the manifest
    totals = Counter(samples=0, labelled=0, images=0, labels=0)
    support = np.zeros(len(label_set.vocabulary), np.int64)
    with ImageReaderPool(dict(moved or {})) as pool:
        for index, entry in enumerate(manifest.shards):
            on_step(index, len(manifest.shards))
            found.files += 1
            try:
                shard = label_set.read_shard(index)
            except (LabelSetError, OSError) as error:
                found.wrong.append(str(error))
                continue
            counted = {"labelled": shard.num_labelled, "images": len(image_rows(shard))}
            differences = list(_differences(storage.join(root, shard_file(entry)), entry, counted))
            found.wrong += differences
            found.rows += len(shard)
            support += np.bincount(shard.values, minlength=len(support))
            totals.update({**counted, "samples": len(shard), "labels": len(shard.values)})
            if deep and not differences:
                found.images += counted["images"]
                found.wrong += _shortened(entry, list(pool.faults(shard)))
    on_step(len(manifest.shards), len(manifest.shards))
    found.files += len(manifest.files)
    found.wrong += _other_files(label_set)
    if not found.wrong:  # else sums would say it a second time
        found.wrong += _wrong_totals(label_set, totals, support)
    return found


class ImageReaderPool:
    """Checks the images of label shards: one after the other on this machine, many at once in a remote store."""

    def __init__(self, moved: dict[str, str]) -> None:
        self._reader = ImageReader(moved=moved)
        self._threads = ThreadPoolExecutor(_REQUESTS_AT_ONCE)

    def __enter__(self) -> "ImageReaderPool":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._reader.close()

    def faults(self, shard: LabelShard) -> Iterator[str]:
        """What is wrong with the images of one shard; of a tar that is gone or has another size only that."""
        good: dict[ImageFile, bool] = {}
        for image_file in shard.image_files:
            if not image_file.is_tar:
                good[image_file] = True
                continue
            if fault := self._fault(lambda file=image_file: self._reader.check_size(file)):  # type: ignore[misc]
                yield fault
            good[image_file] = not fault
        rows = [row for row in image_rows(shard).tolist() if good[shard.image_files[shard.images[row]["file"].as_py()]]]
        is_remote = any(not storage.is_local(file.uri) for file in shard.image_files)
        faults = (self._threads.map if is_remote else map)(lambda row: self._image_fault(shard, row), rows)
        yield from filter(None, faults)

    def _image_fault(self, shard: LabelShard, row: int) -> str | None:
        place = shard.image(row)
        assert place is not None, "only rows with an image are asked for"
        return self._fault(lambda: self._reader.check(*place, shard.keys[row].as_py()))

    @staticmethod
    def _fault(check: Callable[[], None]) -> str | None:
        try:
            check()
        except LabelSetError as error:
            return str(error)
        return None


def _shortened(entry: ShardEntry, faults: list[str]) -> list[str]:
    if len(faults) <= _TOLD_IMAGES:
        return faults
    return [
        *faults[:_TOLD_IMAGES],
        f"{entry.name}: {len(faults) - _TOLD_IMAGES:,} more of its images are not as they were.",
    ]


def _differences(where: str, entry: ShardEntry, counted: Mapping[str, int]) -> Iterator[str]:
    """Where a shard's content is not what its entry in the manifest says."""
    for name, count in counted.items():
        if getattr(entry, name) != count:
            yield f"{where} has {count:,} {name}, the manifest says {getattr(entry, name):,}."


def _other_files(label_set: LabelSet) -> Iterator[str]:
    """What is wrong with the files beside the label shards."""
    root, manifest, num_classes = label_set.root, label_set.manifest, len(label_set.vocabulary)
    for name, read, columns_of_classes in (
        (schema.COOCCURRENCE_NAME, label_set.cooccurrence, ("a", "b")),
        (schema.EXAMPLES_NAME, label_set.examples, ("class_id",)),
    ):
        try:
            table = read()
        except (LabelSetError, OSError) as error:
            yield str(error)
            continue
        if len(table) and max(pc.max(table[column]).as_py() for column in columns_of_classes) >= num_classes:
            yield f"{storage.join(root, name)} names a class that the vocabulary has not."
    if schema.DISTILLED_NAME in manifest.files:
        try:
            label_set.read_file(schema.DISTILLED_NAME)
        except (LabelSetError, OSError) as error:
            yield str(error)
    listed = {f"{entry.name}.parquet" for entry in manifest.shards}
    for name in storage.list_files(storage.join(root, schema.SHARD_FOLDER)):
        if name not in listed:
            yield f"{storage.join(root, schema.SHARD_FOLDER, name)} is not part of the label set."


def _wrong_totals(label_set: LabelSet, counted: Mapping[str, int], support: np.ndarray) -> Iterator[str]:
    """Where sums over the shards are not what the manifest and the vocabulary say."""
    manifest = label_set.manifest
    for name, count in {**counted, "classes": len(label_set.vocabulary)}.items():
        if (said := getattr(manifest.totals, name)) != count:
            yield f"{label_set.root}: the manifest says {said:,} {name}, and there are {count:,}."
    if manifest.vocabulary_from is None:
        for number in np.flatnonzero(support != label_set.vocabulary.support)[:_TOLD_IMAGES].tolist():
            yield (
                f"{label_set.root}: class {number} ({label_set.vocabulary.synsets[number]}) has support "
                f"{label_set.vocabulary.support[number]:,} in the vocabulary, and {support[number]:,} in the shards."
            )
