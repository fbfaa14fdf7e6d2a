"""How fast training's parts are, as ratios against the usual way, all measured in this run on one core.

    python -m benchmarks.train_throughput [--only losses,heads,steps,scaling,loading,transport] [--rounds 3]

Photographs are Flickr8k's, in ../shared/data or where CATLIP_TEST_DATA says. Times are CPU seconds, so that what else
the machine does counts for less, but under `scaling`, which is about waiting; the ratios are what to look at.
"""

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.train_throughput import loading, losses, scaling, steps
from benchmarks.train_throughput.measuring import rounds, table


def show_losses(num_rounds: int) -> None:
    for dtype in ("float32", "bfloat16"):
        print(f"Loss, forward and backward, {losses.B:,} x {losses.K:,} {dtype}:\n")
        table(rounds(losses.kernel, losses.KERNELS, num_rounds, dtype), losses.KERNELS[0], "ms", 1e3, memory=True)


def show_heads(num_rounds: int) -> None:
    print(f"Head and loss, forward and backward, {losses.B:,} x {losses.D} x {losses.K:,} float32:\n")
    table(rounds(losses.head, [*losses.HEADS], num_rounds), next(iter(losses.HEADS)), "ms", 1e3, memory=True)


def show_loading(num_rounds: int) -> None:
    for side, quality in ((512, 95), (256, 90)):
        with tempfile.TemporaryDirectory() as folder:
            labels = str(loading.make_pictures(PHOTOGRAPHS, Path(folder), side, quality))
            print(f"Tar → batch of {loading.SIZE} px, one worker, JPEGs of {side} px at quality {quality}:\n")
            table(rounds(loading.end_to_end, loading.WAYS, num_rounds, labels), loading.WAYS[0], "ms an image", 1e3)
            table(rounds(loading.part, loading.PARTS, 1, labels), loading.PARTS[-1], "ms an image", 1e3)


def show_transport(num_rounds: int) -> None:
    print(f"Labels of a sample → what a step takes, {loading.K:,} classes, 3 labels:\n")
    table(rounds(loading.transport, loading.TRANSPORTS, num_rounds), loading.TRANSPORTS[0], "µs a sample", 1e6)
    dense, sparse = 8 * loading.K, 4 * 3 + 4
    print(f"Bytes a sample: {dense:,} and {sparse} ({dense / sparse:,.0f} times fewer).\n")


def show_steps(num_rounds: int) -> None:
    print(f"Forward and backward of a ViT-S/16, {steps.BATCH} images of {steps.SIZE} px, {losses.K:,} classes:\n")
    table(rounds(steps.step, steps.STEPS, num_rounds), steps.STEPS[0], "ms", 1e3, memory=True)


def show_scaling(num_rounds: int) -> None:
    print(f"A step of {scaling.MODEL}, {losses.K:,} classes, {scaling.BATCH} images of {scaling.SIZE} px a process:\n")
    table(scaling.pairs(4 * num_rounds), scaling.PAIRS[0], "ms (clock)", 1e3)


SECTIONS = {
    "losses": show_losses,
    "heads": show_heads,
    "steps": show_steps,
    "scaling": show_scaling,
    "loading": show_loading,
    "transport": show_transport,
}
PHOTOGRAPHS = Path(os.environ.get("CATLIP_TEST_DATA", "../shared/data")) / "flickr8k" / "train"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "simplejpeg", "pillow"))
    print(f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {packages}\n")
    for section in asked.only.split(","):
        SECTIONS[section](asked.rounds)
