"""From tar to batch with one worker, against webdataset with its usual Pillow pipeline and dense targets."""

import io
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.train_throughput.measuring import Measured
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet
from tests.labelset_factory import Item, write_label_set
from trainer.stream import loader
from trainer.stream.plan import make_plan
from trainer.stream.reader import StepReader
from trainer.stream.samples import Samples
from trainer.stream.steps import PlanConfig, Steps

K = 24_320
BATCH = 64
SIZE = 224
_NUM_SHARDS, _NUM_PICTURES = 4, 768
_AT_LEAST = 0.5  # seconds that something is repeated for
WAYS = ("webdataset, Pillow, float32, dense int64 targets", "catlip")


def make_pictures(source: Path, folder: Path, side: int, quality: int) -> Path:
    """A label set of photographs enlarged to `side`, with some noise, since enlarging leaves little to decode."""
    rng = np.random.default_rng(0)
    items: list[Item] = []
    with_labels = random.Random(0)
    for data in _photographs(source, _NUM_PICTURES):
        with Image.open(io.BytesIO(data)) as image:
            scale = side / min(image.size)
            large = image.convert("RGB").resize(
                (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
            )
        noisy = np.clip(np.asarray(large) + rng.normal(0, 4, (large.height, large.width, 1)), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=quality)
        labels = sorted(with_labels.sample(range(K), with_labels.choice((2, 3, 4))))
        items.append(Item(key=f"{len(items):06d}", labels=labels, image=buffer.getvalue()))
    return write_label_set(folder, [items[number::_NUM_SHARDS] for number in range(_NUM_SHARDS)], num_classes=K)


def _photographs(folder: Path, num: int) -> Iterator[bytes]:
    import tarfile

    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    content = tar.extractfile(member)
                    assert content is not None
                    yield content.read()
                    num -= 1
                if not num:
                    return


def end_to_end(way: str, labels: str) -> Measured:
    """CPU seconds an image, of the trainer's process and its worker, in the middle of a run."""
    batches = iter(_webdataset(labels) if way.startswith("webdataset") else _catlip(labels))
    for _ in range(3):
        next(batches)
    start, num = _cpu_of_family(), 0
    for _ in range(_NUM_PICTURES // BATCH):
        num += len(next(batches)[0])
    return Measured((_cpu_of_family() - start) / num)


def _catlip(labels: str) -> Iterator[tuple[torch.Tensor, Any]]:
    label_set = LabelSet.open(labels)
    reader = make_reader(label_set)
    for batch in loader.batches(reader, range(1_000), num_workers=1, pin_memory=False):
        yield batch.images_BCHW, batch.positives()


def make_reader(label_set: LabelSet) -> StepReader:
    samples = Samples([label_set])
    steps = Steps(PlanConfig(batch_size=BATCH, steps=1_000), image_size=SIZE, num_samples=1, seed=0)
    plan = make_plan(samples.counts(), seed=0, window_shards=8)
    return StepReader(samples=samples, plan=plan, steps=steps, seed=0, min_scale=0.08)


def _webdataset(labels: str) -> Any:  # noqa: ANN401
    import webdataset as wds
    from torchvision import transforms as T

    label_set = LabelSet.open(labels)
    shards = [label_set.read_shard(number) for number in range(_NUM_SHARDS)]
    by_key = {key.as_py(): shard.labels(row).astype(np.int64) for shard in shards for row, key in enumerate(shard.keys)}

    def target(key: str) -> torch.Tensor:
        dense = torch.zeros(K, dtype=torch.int64)
        dense[torch.from_numpy(by_key[key])] = 1
        return dense

    transform = T.Compose(
        [
            T.RandomResizedCrop(SIZE, interpolation=T.InterpolationMode.BICUBIC),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    tars = sorted(str(path) for path in (Path(labels).parent / "tars").glob("*.tar"))
    dataset = (
        wds.WebDataset(tars, shardshuffle=_NUM_SHARDS, empty_check=False)
        .shuffle(1_000)
        .decode("pil")
        .to_tuple("jpg", "__key__")
        .map_tuple(transform, target)
        .repeat()
        .batched(BATCH, partial=False)
    )
    return wds.WebLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")


def _cpu_of_family() -> float:
    """CPU seconds of this process and all that descend from it."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(seconds[pid] for pid in family)


TRANSPORTS = ("dense int64 target", "values and offsets")


def transport(name: str) -> Measured:
    """CPU seconds a sample from its class ids to what a step takes, in one process: no worker, no pipe."""
    rng = np.random.default_rng(0)
    labels = [np.sort(rng.choice(K, 3, replace=False)) for _ in range(1_024)]

    def dense() -> None:
        targets = []
        for values in labels:
            target = torch.zeros(K, dtype=torch.int64)
            target[torch.from_numpy(values)] = 1
            targets.append(target)
        torch.stack(targets)

    def sparse() -> None:
        from trainer.stream.batch import Batch, Piece, Room

        counts = np.array([len(values) for values in labels], dtype=np.int32)
        values_P = np.concatenate(labels, dtype=np.int32)
        piece = Piece(np.arange(1_024), np.zeros(1_024, dtype=bool), counts, values_P, ())
        room = Room(np.empty((1_024, 1, 1, 3), dtype=np.uint8), np.empty((1_024, 0), dtype=np.int32))
        Batch.of(room, [piece]).positives()

    return Measured(_seconds(dense if name.startswith("dense") else sparse) / 1_024)


def _seconds(work: Callable[[], object]) -> float:
    work()
    start, rounds = time.process_time(), 0
    while not rounds or time.process_time() - start < _AT_LEAST:
        work()
        rounds += 1
    return (time.process_time() - start) / rounds


PARTS = ("read from the tar", "decode", "crop and resize", "all of a batch, in one process")


def part(name: str, labels: str) -> Measured:
    """CPU seconds an image of each thing that a worker does."""
    from trainer import transforms

    label_set = LabelSet.open(labels)
    samples, reader = Samples([label_set]), ImageReader()
    images = [samples.read(0, nth).image for nth in range(128)]
    shard = label_set.read_shard(0)
    places = [shard.image(row) for row in range(128)]
    keys = [shard.keys[row].as_py() for row in range(128)]
    pixels = [transforms.decode(data) for data in images]
    rng = np.random.default_rng(0)
    step_reader = make_reader(label_set)
    room = step_reader.room(0, np.empty(step_reader.most_bytes(), dtype=np.uint8))

    def read() -> None:
        for place, key in zip(places, keys, strict=True):
            assert place is not None
            reader.read(*place, key)

    works: dict[str, tuple[Callable[[], object], int]] = {
        "read from the tar": (read, 128),
        "decode": (lambda: [transforms.decode(data) for data in images], 128),
        "crop and resize": (lambda: [transforms.random_resized_crop(p, SIZE, 0.08, rng) for p in pixels], 128),
        "all of a batch, in one process": (lambda: step_reader.read(0, room), BATCH),
    }
    work, num = works[name]
    return Measured(_seconds(work) / num)
