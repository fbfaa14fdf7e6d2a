"""How long probes take on features that are there, how much memory a large table takes, and what bounds extraction.

    python benchmarks/probe_speed.py FOLDER --data CIFAR10 [--model vit_tiny_patch16_224] [--rows 1280000]

All times are CPU seconds of one thread, so that other work on the machine does not count. FOLDER gets the large table
(1,280,000 x 768 float16 are 2 GB), which is deleted at the end; memory is what is not mapped from its file.
"""

import argparse
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import torch

from trainer import opening, transforms
from trainer.encoders.encoder import Encoder
from trainer.probes import fewshot, heads, knn, linear, probing
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples, Moments, shots
from trainer.probes.features import BATCH_SIZE, Cropped
from trainer.probes.probe import Asked
from trainer.probes.tables import FeatureTable
from trainer.probes.taps import POOLED, tap

CPU = torch.device("cpu")
NUM_CLASSES = 1000
WIDTH = 768
STEPS = 20
QUERIES = 1024
REPEATS = 3
PROTOCOLS = ("sweep", "catlip", "dinov2", "lbfgs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="vit_tiny_patch16_224")
    parser.add_argument("--rows", type=int, default=1_280_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = opening.PRETRAINED if Path(arguments.model).is_dir() else opening.RANDOM
    opened = opening.open_model(arguments.model, weights, CPU)
    splits = open_splits(arguments.data)
    cached(opened, splits, arguments.data, arguments.folder)
    extraction(opened.encoder, splits[0])
    large(arguments.folder / "large.npy", arguments.rows)


def cached(opened: opening.Opened, splits: tuple[Split, Split], data: Path, folder: Path) -> None:
    """CPU seconds of each probe of one encoder, its features being there; the least of REPEATS."""
    print("| probe | CPU s |\n| --- | --- |")
    asked = Asked(opened=opened, splits=splits, data=data, out=folder, protocols=PROTOCOLS, with_random=False)
    total = 0.0
    for probe in (*linear.probes(asked), knn.probe(), fewshot.probe()):
        run = partial(probing.measure, asked, [probe], lambda *_: None)
        run()  # the features, and whatever is loaded once
        seconds = min(cpu_seconds(run) for _ in range(REPEATS))
        total += seconds
        print(f"| {probe.task}, {probe.protocol} | {seconds:.1f} |", flush=True)
    print(f"| all | {total:.1f} |\n")


def extraction(encoder: Encoder, split: Split, num_batches: int = 4) -> None:
    """CPU milliseconds a picture of decoder, tower and writer."""
    data = Cropped(pictures=split.pictures, picture=encoder.picture)
    spent = dict.fromkeys(("read, decode, crop", "tower", "round and write"), 0.0)
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else ".") / f"probe-speed-{time.time_ns()}"
    table = FeatureTable.open(path, len(split))
    try:
        for start in range(0, num_batches * BATCH_SIZE, BATCH_SIZE):
            begun = time.process_time()
            images_BCHW, codes_B = data[start]
            decoded = time.process_time()
            with torch.inference_mode():
                x_BCHW = transforms.to_input(images_BCHW, encoder.picture.mean, encoder.picture.std)
                features_BD = tap(encoder.model, x_BCHW, (POOLED,))[POOLED]
            computed = time.process_time()
            table.write(start, features_BD.half().numpy(), codes_B.numpy())
            for name, seconds in zip(
                spent, (decoded - begun, computed - decoded, time.process_time() - computed), strict=True
            ):
                spent[name] += seconds
        table.close()
    finally:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
    print("| part of extraction | CPU ms a picture |\n| --- | --- |")
    for name, seconds in spent.items():
        print(f"| {name} | {1000 * seconds / (num_batches * BATCH_SIZE):.3f} |")
    print(flush=True)


def large(path: Path, rows: int) -> None:
    """Time and memory of what probes do with a table of ImageNet's size, most of it on a part and scaled up."""
    make_table(path, rows)
    try:
        table = np.load(path, mmap_mode="r")
        class_ids = np.arange(rows) % NUM_CLASSES
        train = Examples(table=table, rows=np.arange(rows), class_ids=class_ids)
        test = train.part(np.arange(0, rows, rows // QUERIES)[:QUERIES])
        print(f"{rows:,} x {WIDTH} float16, {path.stat().st_size / 2**30:.2f} GiB, {NUM_CLASSES:,} classes\n")
        print("| work | CPU s | MiB beside the table |\n| --- | --- | --- |")
        note("moments of all features", lambda: Moments.of(train))
        note(f"{STEPS} steps of {whole_probe(rows):,} of `sweep`, six heads", lambda: few_steps(train))
        eighth = train.part(np.arange(0, rows, 8))
        note(f"nearest of {len(eighth):,} for {QUERIES:,} pictures", lambda: nearest(eighth, test))
        note("ridge on 25 shots of each class, one penalty", lambda: few_shots(train))
    finally:
        path.unlink()


def make_table(path: Path, rows: int) -> None:
    """Clouds around a point for each class, written piece by piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (NUM_CLASSES, WIDTH)).astype(np.float16)
    noise = rng.normal(0, 1, (NUM_CLASSES, WIDTH)).astype(np.float16)
    table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(rows, WIDTH))
    for start in range(0, rows, NUM_CLASSES):
        size = min(NUM_CLASSES, rows - start)
        table[start : start + size] = centres[:size] + np.roll(noise, start // NUM_CLASSES, axis=0)[:size]
    table.flush()


def whole_probe(rows: int) -> int:
    """Optimiser steps of the linear probe on all rows."""
    return linear.SWEEP.epochs * -(-rows // linear.SWEEP.batch_size)


class EnoughError(Exception):
    """The part that is measured is done."""


def few_steps(train: Examples) -> None:
    """The first steps of the linear probe, on features as they are: moments are measured by themselves."""

    def tick(done: int, _total: int, _doing: str = "", /) -> None:
        if done == STEPS:
            raise EnoughError

    training = msgspec.structs.replace(linear.SWEEP, standardise=False)
    with suppress(EnoughError):
        heads.fit(train, heads.classes_of(train), NUM_CLASSES, training, [heads.whole(train.width)], 0, CPU, tick)


def nearest(train: Examples, test: Examples) -> None:
    knn.classify(train, test, NUM_CLASSES, [200], CPU, lambda *_: None)


def few_shots(train: Examples) -> None:
    part = train.part(shots(train.class_ids, 25, 0))
    fewshot.Ridge.of(part.features(slice(None)).double(), part.class_ids, NUM_CLASSES).left_out(1.0)


def note(what: str, work: Callable[[], object]) -> None:
    """A line with the CPU seconds of some work, and its largest memory beside what was there."""
    done = threading.Event()
    before, largest = anonymous_mib(), [0.0]

    def watch() -> None:
        while not done.wait(0.02):
            largest[0] = max(largest[0], anonymous_mib() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds = cpu_seconds(work)
    done.set()
    watcher.join()
    print(f"| {what} | {seconds:.1f} | {largest[0]:.0f} |", flush=True)


def anonymous_mib() -> float:
    """Memory of this process that is no mapped file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
