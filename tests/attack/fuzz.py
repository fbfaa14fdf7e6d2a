"""Attacks readers of files that other people made, and says what came of it.

    python -m tests.attack.fuzz                                       the readers there are
    python -m tests.attack.fuzz --reader tar --minutes 10 --seed 1    attacks one, guided by coverage, by atheris

A line for each reader: inputs tried, inputs a second, branches reached, how inputs ended, findings, peak memory. Of
each finding the input and what was said lie in OUT/READER/findings. What was learned of a reader (OUT/READER/corpus)
is where the next attack begins.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.attempt import Finding, Sandbox, keep
from tests.attack.readers import ROOMS, all_readers, room_of

_COVERED = re.compile(r"cov: (\d+) ft: (\d+)")
_SHORTEST_SECONDS = 2
_TOLD_CHARACTERS = 20_000


@dataclass
class Attacked:
    """What came of attacking a reader. branches, paths: libFuzzer's cov and ft. ended: how inputs did, by name."""

    reader: str
    seconds: float = 0.0
    branches: int = 0
    paths: int = 0
    peak_mib: int = 0
    restarts: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        inputs = self.ended.total()
        how = ", ".join(f"{count:,} {name}" for name, count in self.ended.most_common() if not name.startswith("!"))
        findings = sum(name.startswith("!") for name in self.ended)
        return (
            f"{self.reader}: {inputs:,} inputs in {self.seconds / 60:.1f} min ({inputs / max(1, self.seconds):.0f}/s), "
            f"{self.branches:,} branches, {self.paths:,} paths; {how}; {findings} findings; {self.peak_mib:,} MiB; "
            f"{self.restarts} restarts"
        )


def attack(reader: str, seconds: float, seed: int, folder: Path) -> Attacked:
    """Attack one reader; a process that an input ended is a finding, and is started again."""
    folder.mkdir(parents=True, exist_ok=True)
    attacked = Attacked(reader)
    begun = time.monotonic()
    while (left := seconds - (time.monotonic() - begun)) > 0:
        (folder / "notes.json").unlink(missing_ok=True)
        words = [
            room_of(reader),
            reader,
            str(max(_SHORTEST_SECONDS, int(left))),
            str(seed + attacked.restarts),
            str(folder),
        ]
        with (folder / "log.txt").open("wb") as log:
            code = subprocess.call([sys.executable, "-m", "tests.attack.guided", *words], stdout=log, stderr=log)
        said = (folder / "log.txt").read_text(errors="replace")
        _take_in(attacked, said, folder / "notes.json")
        if code == 0:
            break
        _keep(attacked, code, said[-_TOLD_CHARACTERS:], folder)
        if not attacked.ended.total():
            raise SystemExit(f"{reader} cannot be attacked; see {folder / 'log.txt'}")
    attacked.seconds = time.monotonic() - begun
    return attacked


def _take_in(attacked: Attacked, said: str, notes: Path) -> None:
    if found := _COVERED.findall(said):
        attacked.branches, attacked.paths = (max(before, int(now)) for before, now in zip(
            (attacked.branches, attacked.paths), found[-1], strict=True))  # fmt: skip
    if notes.exists():
        noted = json.loads(notes.read_text())
        attacked.ended.update(noted["ended"])
        attacked.peak_mib = max(attacked.peak_mib, noted["peak_kib"] >> 10)


def _keep(attacked: Attacked, code: int, said: str, folder: Path) -> None:
    """The input under which a process ended."""
    attacked.restarts += 1
    places = re.findall(r'File "[^"]*/([^/"]+)\.py", line \d+ in (\w+)', said)
    finding = Finding(f"process ended ({code})", ".".join(places[0]) if places else "", said)
    attacked.ended[f"! {finding.kind} in {finding.place}"] += 1
    sandbox = Sandbox(folder / "box" / "box", all_readers(room_of(attacked.reader))[attacked.reader])
    keep(folder / "findings", attacked.reader, finding, sandbox.file.read_bytes())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", action="append", metavar="NAME", help="once or more often, or `all`")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="default: build/fuzz")
    options = parser.parse_args()
    if options.reader is None:
        print("\n".join(f"{room}: {', '.join(all_readers(room))}" for room in ROOMS))
        return
    names = list(all_readers()) if options.reader == ["all"] else options.reader
    for name in names:
        print(attack(name, 60 * options.minutes, options.seed, options.out / name), flush=True)


if __name__ == "__main__":
    main()
