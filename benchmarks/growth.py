"""How time and memory of each command grow with what it is given: once, ten times, a hundred times as much.

    python -m benchmarks.growth CAPTIONS.tsv --out FOLDER [--only captions,shards,classes,metrics]

A corpus of 10,000 captions to a million (those of CAPTIONS.tsv, with variations), label sets of 10 to 1,000 shards and
of 400 to 40,000 classes, and a run with 600 to 60,000 lines of metrics, which is a week of them. Prints CPU seconds of
a command with all its processes, the largest of their memories, and by how much the last ten times as much multiplied
what the command takes beyond its start: 10 is what must be, where all of it must be read.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks import vocab_scale
from benchmarks.label_soak import varied
from labelshards import open_label_set

SCALES = (1, 10, 100)
_SET_CHILD_SUBREAPER = 36  # of Linux's prctl: who lost his parent is ours
CAPTIONS, SHARDS, CLASSES, LINES = 10_000, 10, 400, 600
ROWS_A_SHARD = 1_000
SAMPLES_OF_CLASSES = 200_000
STEPS = 4
NO_WARMUP = ("--set", "optim.warmup_steps=0")  # some of these runs are shorter than any


class Cost(NamedTuple):
    """What one command took: CPU seconds of it and its children, and the largest resident memory of any, in MiB."""

    seconds: float
    peak: float


def run(*words: str) -> Cost:
    """Run a command of catlip. Raises RuntimeError with its last words if it fails."""
    command = [sys.executable, "-m", "catlip_cli.main", *words]
    seconds = peak = 0.0
    with tempfile.TemporaryFile("w+") as told:
        leader, failed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told), False
        while True:
            try:
                pid, status, used = os.wait4(-1, 0)  # workers, too, whose parent has ended
            except ChildProcessError:
                break
            seconds, peak = seconds + used.ru_utime + used.ru_stime, max(peak, used.ru_maxrss / 1024)
            failed = failed or (pid == leader.pid and status != 0)
        leader.returncode = 0  # it was waited for
        if failed:
            told.seek(0)
            raise RuntimeError(f"{' '.join(words)}: {told.read()[-500:]}")
    return Cost(seconds, peak)


def of_captions(folder: Path, source: Path) -> dict[str, list[Cost]]:
    """Builds of more and more captions, and what is done with their label sets."""
    texts = [line.partition("\t")[0] for line in source.read_text(encoding="utf-8").splitlines()]
    costs: dict[str, list[Cost]] = {}
    for scale in SCALES:
        told, labels = folder / f"captions-{scale}.tsv", str(folder / f"labels-{scale}")
        told.write_text("".join(f"{text}\t-\n" for text in islice(varied(texts), CAPTIONS * scale)), encoding="utf-8")
        for name, words in {
            "labels build": ("labels", "build", str(told), "--out", labels, "--threshold", "20"),
            "labels build --nouns distilled": (
                *("labels", "build", str(told), "--out", f"{labels}-distilled", "--threshold", "20"),
                *("--nouns", "distilled"),
            ),
            "labels build, with another threshold": (
                "labels",
                "build",
                str(told),
                "--out",
                labels,
                "--threshold",
                "30",
            ),
            "labels verify": ("labels", "verify", labels),
            "vocab inspect": ("vocab", "inspect", labels),
        }.items():
            costs.setdefault(name, []).append(run(*words))
    return costs


def of_invented(make: Callable[[str, int], None], folder: Path, name: str, size: int) -> dict[str, list[Cost]]:
    """What is done with invented label sets that are larger and larger in one way."""
    costs: dict[str, list[Cost]] = {}
    for scale in SCALES:
        labels = str(folder / f"{name}-{size * scale}")
        if not Path(labels).exists():
            # Elsewhere: a command that this process starts counts what it held then as its own.
            code = f"from benchmarks import growth; growth.{make.__name__}({labels!r}, {size * scale})"
            subprocess.run([sys.executable, "-c", code], check=True)
        for what, words in {
            "labels verify": ("labels", "verify", labels),
            "vocab inspect": ("vocab", "inspect", labels),
            "vocab inspect --class": (
                "vocab",
                "inspect",
                labels,
                "--class",
                open_label_set(labels).vocabulary.synsets[9],
            ),
            "vocab inspect --html": ("vocab", "inspect", labels, "--html", f"{labels}.html"),
            "vocab diff": ("vocab", "diff", labels, labels),
            "train --plan": (
                "train",
                "--labels",
                labels,
                "--recipe",
                "recipes/cc3m_vit_b16.toml",
                "--plan",
                *NO_WARMUP,
            ),
        }.items():
            costs.setdefault(what, []).append(run(*words))
    return costs


def of_metrics(folder: Path) -> dict[str, list[Cost]]:
    """A run that goes on, with more and more lines in its metrics."""
    data, labels = folder / "drawn", str(folder / "drawn-labels")
    run("sample", str(data))
    run("labels", "build", str(data / "train" / "*.tar"), "--out", labels, "--threshold", "25")
    costs = []
    for scale in SCALES:
        out = folder / f"run-{scale}"
        words: tuple[str, ...] = ("train", "--labels", labels, "--recipe", "recipes/demo_cpu.toml", "--out", str(out))
        words += ("--set", "loop.log_every=1", "--allow-change", "plan.steps", *NO_WARMUP)
        run(*words, "--set", f"plan.steps={STEPS}")
        metrics = out / "metrics.jsonl"
        line = metrics.read_text(encoding="utf-8").splitlines()[-1]
        metrics.write_text(f"{line}\n" * (LINES * scale), encoding="utf-8")
        costs.append(run(*words, "--set", f"plan.steps={STEPS + 1}"))
    return {"train, one step more": costs}


def show(console: Console, title: str, costs: dict[str, list[Cost]]) -> None:
    """Print one table, as Markdown."""
    console.print(f"\n{title}:\n", highlight=False)
    console.print("| command | 1 x | 10 x | 100 x | the last ten times |")
    console.print("| --- | --- | --- | --- | --- |")
    for name, (one, ten, hundred) in costs.items():
        cells = [f"{cost.seconds:.1f} s, {cost.peak:,.0f} MiB" for cost in (one, ten, hundred)]
        grown = (hundred.seconds - ten.seconds) / max(0.1, ten.seconds - one.seconds)
        console.print(f"| {name} | {' | '.join(cells)} | {grown:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, help="`caption<TAB>…` lines")
    parser.add_argument("--out", type=Path, required=True, help="a folder; what is in it already is used")
    parser.add_argument("--only", default="captions,shards,classes,metrics")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
    console = Console(width=200, highlight=False)
    only = asked.only.split(",")
    if "captions" in only:
        show(console, f"{CAPTIONS:,} captions", of_captions(asked.out, asked.captions))
    if "shards" in only:
        costs = of_invented(with_shards, asked.out, "shards", SHARDS)
        show(console, f"{SHARDS} shards of {ROWS_A_SHARD:,} rows", costs)
    if "classes" in only:
        show(console, f"{CLASSES} classes", of_invented(with_classes, asked.out, "classes", CLASSES))
    if "metrics" in only:
        show(console, f"{LINES} lines of metrics", of_metrics(asked.out))


def with_shards(folder: str, num_shards: int) -> None:
    """A label set of so many shards, and 4,000 classes."""
    vocab_scale.make(folder, 4_000, 50_000, num_shards * ROWS_A_SHARD, rows=ROWS_A_SHARD)


def with_classes(folder: str, num_classes: int) -> None:
    """A label set of so many classes, with 125 pairs for each."""
    vocab_scale.make(folder, num_classes, 125 * num_classes, SAMPLES_OF_CLASSES)


if __name__ == "__main__":
    main()
