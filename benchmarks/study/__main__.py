"""The study: CatLIP, CLIP and SigLIP on the same photographs, with the same picture tower and the same loop.

    python -m benchmarks.study [--out study] [--arms main] [--seeds 2] [--epochs 24]

Label sets, runs and probes are made by catlip's own commands. What is there already is not done again, so the same
command goes on where it was stopped. Arms are groups (main, rates, data, width, threshold, labeler, loss, fast) or
single ones, with commas; `transfer` probes what Transfer Init gives the arm `catlip`.
"""

import argparse
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.study import costs, label_sets, report, running
from benchmarks.study.arms import ARMS, GROUPS, TRANSFER, Arm, chosen
from benchmarks.study.place import Study
from benchmarks.study.running import Length

_BATCH = 128  # of every arm: contrastive losses want more pairs than the recipes' 64


def run(study: Study, arms: Sequence[Arm], num_rounds: int) -> str:
    """All that is left to do of these arms; the report's tables."""
    label_sets.prepare(study, arms)
    length = running.length_of(study, ARMS["catlip"])
    measured = costs.measure(study, arms, length, num_rounds)
    train(study, arms, length)
    return report.write(study, length, measured)


def train(study: Study, arms: Sequence[Arm], length: Length) -> None:
    """Train and probe, `study.jobs` at once, all arms with the first seed before any with the second."""
    units = [(arm, seed) for seed in study.seeds for arm in arms if not running.done(study, arm, seed, length)]
    print(f"{len(units)} runs of {length.steps:,} steps are left to do", flush=True)
    start, lock, finished = time.monotonic(), threading.Lock(), 0

    def say(text: str) -> None:
        print(f"{(time.monotonic() - start) / 60:6.1f} min  {text}", flush=True)

    def work(arm: Arm, seed: int) -> None:
        nonlocal finished
        running.train_and_probe(study, arm, seed, length, say)
        with lock:
            finished += 1
            left = (time.monotonic() - start) / finished * (len(units) - finished) / 60
            say(f"{finished} of {len(units)} runs done, about {left:.0f} min left")

    with ThreadPoolExecutor(study.jobs) as pool:
        futures = [pool.submit(work, arm, seed) for arm, seed in units]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def transfer(study: Study) -> None:
    """Heads that begin with zeros, random weights and Transfer Init, on three draws of 1, 10 and 100 % of pictures."""
    run = study.run("catlip", 0)
    if not run.is_dir():
        raise SystemExit(f"{TRANSFER} probes the arm catlip; train it first: --arms catlip.")
    words = [
        "--data",
        str(study.probes),
        "--protocol",
        "catlip,sweep",
        "--init",
        "zeros,random,transfer",
        "--no-random",
    ]
    study.catlip("probe", run, *words, "--fraction", "1%,10%,100%", "--seeds", "3", log=TRANSFER)
    table = study.catlip("probe", "compare", run / "probes", "--task", "linear", "--format", "markdown", log=TRANSFER)
    (study.out / "report").mkdir(exist_ok=True)
    (study.out / "report" / f"{TRANSFER}.md").write_bytes(table)
    print(table.decode())


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("CATLIP_TEST_DATA", "../shared/data"))
    arguments.add_argument("--out", type=Path, default=Path("study"), help="where everything goes")
    arguments.add_argument("--arms", default="main", help=f"of {', '.join(GROUPS)}, {', '.join(ARMS)}; or {TRANSFER}")
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument(
        "--epochs", type=float, default=24, help="over the main label set; every arm has as many steps"
    )
    arguments.add_argument("--data", type=Path, default=data, help="with flickr8k/ and cifar10/")
    arguments.add_argument("--labels", type=Path, help="a label set with captions, instead of Flickr8k's")
    arguments.add_argument("--heldout", type=Path, help="a label set with its vocabulary")
    arguments.add_argument("--probes", type=Path, help="labelled pictures, instead of CIFAR-10")
    arguments.add_argument(
        "--set", dest="settings", action="append", default=[], help="KEY=VALUE of every arm's recipe"
    )
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at once, one thread each")
    arguments.add_argument("--rounds", type=int, default=5, help="turns in which steps are timed")
    asked = arguments.parse_args(words)
    if (asked.labels is None) != (asked.heldout is None):
        arguments.error("--labels and --heldout go together.")
    study = Study(
        out=asked.out,
        data=asked.data,
        labels=asked.labels,
        heldout=asked.heldout,
        probes=asked.probes or asked.data / "cifar10",
        settings=(f"plan.batch_size={_BATCH}", f"plan.epochs={asked.epochs}", *asked.settings),
        seeds=range(asked.seeds),
        jobs=asked.jobs,
    )
    if asked.arms == TRANSFER:
        transfer(study)
    else:
        print(run(study, chosen(asked.arms), asked.rounds))


if __name__ == "__main__":
    main()
