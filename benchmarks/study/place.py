"""What a study is asked for, where all of it lies, and the commands that do the work.

STUDY/
  labels/NAME       label sets, built once
  runs/NAME-s0      what `catlip train` leaves, newest checkpoint alone
  points/*.json     what was measured of one checkpoint: all that is kept of it
  costs.json        CPU seconds of a step of each arm
  report/           tables and figures
  logs/             what the commands said
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study. data: the folder with flickr8k/ and cifar10/. labels, heldout: label sets instead of Flickr8k's; probes:
    the pictures of linear heads and neighbours. settings: on top of each arm's; seeds: of the runs.
    """

    out: Path
    data: Path
    labels: Path | None
    heldout: Path | None
    probes: Path
    settings: tuple[str, ...]
    seeds: range
    jobs: int

    def label_set(self, name: str) -> Path:
        """Where a label set lies, or will."""
        return self.out / "labels" / name

    def run(self, arm: str, seed: int) -> Path:
        """Where a run lies, or will."""
        return self.out / "runs" / f"{arm}-s{seed}"

    @property
    def points(self) -> Path:
        """Where measurements lie."""
        return self.out / "points"

    def catlip(self, *words: str | Path, log: str) -> bytes:
        """What `catlip WORDS` printed; what it said beside that goes to logs/. Raises SystemExit if it failed."""
        path = self.out / "logs" / f"{log}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as errors:
            done = subprocess.run(
                [sys.executable, "-m", "catlip_cli.main", *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=errors,
                # One thread a job: two jobs on two cores do more than one on both, and sums are the same everywhere.
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=False,
            )
        if done.returncode:
            lines = path.read_text().strip().splitlines()
            raise SystemExit(f"catlip {words[0]} failed ({lines[-1] if lines else done.returncode}); {path} has all.")
        return done.stdout


def together(settings: Sequence[str]) -> list[str]:
    """As options of `catlip train`."""
    return [word for setting in settings for word in ("--set", setting)]
