"""How fast training's parts are, as ratios against the usual way, all measured in this run on one core.

    python -m benchmarks.train_throughput [--only losses,heads] [--rounds 3]

Times are CPU seconds, so that what else the machine does counts for less; the ratios are what to look at.
"""

import argparse
import platform
import time
from importlib.metadata import version

from benchmarks.train_throughput import losses
from benchmarks.train_throughput.measuring import rounds, table


def show_losses(num_rounds: int) -> None:
    for dtype in ("float32", "bfloat16"):
        print(f"Loss, forward and backward, {losses.B:,} x {losses.K:,} {dtype}:\n")
        table(rounds(losses.kernel, losses.KERNELS, num_rounds, dtype), losses.KERNELS[0], "ms", 1e3, memory=True)


def show_heads(num_rounds: int) -> None:
    print(f"Head and loss, forward and backward, {losses.B:,} x {losses.D} x {losses.K:,} float32:\n")
    table(rounds(losses.head, losses.HEADS, num_rounds), losses.HEADS[0], "ms", 1e3, memory=True)


SECTIONS = {"losses": show_losses, "heads": show_heads}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "simplejpeg", "pillow"))
    print(f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {packages}\n")
    for section in asked.only.split(","):
        SECTIONS[section](asked.rounds)
