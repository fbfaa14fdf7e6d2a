"""Commands killed at random moments, then run again until they end: the same result, and nothing left over?

python -m tests.attack.kills --times 100 --seed 1 [--only 'train, two ranks']
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attack import aftermath
from tests.attack.victims import Process, Victim, victims
from tests.end_to_end.builds import members_of

_DEADLINE_SECONDS = 240.0
_POLL_SECONDS = 0.005
_MOST_KILLS_OF_ONE = 3
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MAIN, WORKER, GROUP = _WHOM = ("main", "worker", "group")
WHEN = ("before", "at", "between", "after")
_WIDEST = 30


@dataclass(frozen=True)
class Kill:
    """What was sent, to whom, and where the command then was: before, at, between or after what it keeps."""

    number: signal.Signals
    whom: str
    when: str


@dataclass(frozen=True)
class Reference:
    """What an undisturbed command leaves, and the seconds it takes."""

    result: dict[str, bytes]
    seconds: float


@dataclass
class Trial:
    """A command that was killed some times and then let be. wrong: what it left that should not be so, in words."""

    victim: Victim
    folder: Path
    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def undisturbed(victim: Victim, folder: Path) -> Reference:
    """Run it twice, and let it be: both must leave the same. Its seconds are those of the quicker one."""
    seconds, results = [], []
    for name in ("first", "second"):
        begun = time.monotonic()
        processes = _start(victim, folder / name)
        codes = _wait(processes, _DEADLINE_SECONDS)
        assert set(codes) == {0}, f"{victim.name}: {codes}\n{_said(processes)}"
        seconds.append(time.monotonic() - begun)
        results.append(aftermath.result(folder / name / "here"))
    assert not (found := aftermath.differences(*results)), f"{victim.name}, undisturbed twice: {found}"
    return Reference(results[0], min(seconds))


def attack(victim: Victim, wanted: Reference, folder: Path, num_kills: int, draw: random.Random) -> Trial:
    """Kill it so often, then run it until it ends, and look at what it left."""
    trial = Trial(victim, folder)
    memory = aftermath.shared_memory()
    for _ in range(num_kills):
        trial.kills.append(_kill(trial, wanted, draw))
    processes = _start(victim, folder)
    codes = _wait(processes, _DEADLINE_SECONDS)
    if set(codes) != {0}:
        trial.wrong.append(f"the same command again ended with {codes}: {_said(processes)}")
    trial.wrong += aftermath.orphans(processes)
    trial.wrong += aftermath.differences(aftermath.result(folder / "here"), wanted.result)
    trial.wrong += [f"{path.name} was left over for good" for path in (folder / "tmp").iterdir()]
    left = aftermath.shared_memory() - memory
    trial.wrong += [f"shared memory {name} was left over" for name in left if not aftermath.in_use(name)]
    if not trial.wrong:
        shutil.rmtree(folder)
    return trial


def _kill(trial: Trial, wanted: Reference, draw: random.Random) -> Kill:
    moment, number, whom = draw.uniform(0, wanted.seconds), draw.choice(_SIGNALS), draw.choice(_WHOM)
    processes = _start(trial.victim, trial.folder)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(_POLL_SECONDS)
    when = _when(trial, wanted)
    workers = [pid for process in processes for pid in members_of(process.pid)] + [each.pid for each in processes[1:]]
    if whom == WORKER and not workers:
        whom = MAIN
    if whom == GROUP:
        for process in processes:
            _send(-process.pid, number)
    else:
        _send(draw.choice(workers) if whom == WORKER else processes[0].pid, number)
    codes = _wait(processes, _DEADLINE_SECONDS)
    if None in codes:
        trial.wrong.append(f"it still ran {_DEADLINE_SECONDS:.0f} s after {number.name} to {whom}")
        for process in processes:
            _send(-process.pid, signal.SIGKILL)
    said = _said(processes)
    if "Traceback" in said:
        trial.wrong.append(f"{number.name} to {whom} {when}: a traceback: {said}")
    trial.wrong += aftermath.orphans(processes)
    return Kill(number, whom, when)


def _when(trial: Trial, wanted: Reference) -> str:
    here = trial.folder / "here"
    names = {str(path.relative_to(here)) for path in here.rglob("*")}
    if any(".partial-" in name for name in names):
        return "at"
    if wanted.result.keys() <= names:
        return "after"
    return "between" if any(here.glob(trial.victim.commits)) else "before"


def _start(victim: Victim, folder: Path) -> list[Process]:
    """OUT is in here/, temporary files in tmp/."""
    for name in ("here", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return victim.start(folder / "here" / victim.out, {**os.environ, **threads, "TMPDIR": str(folder / "tmp")})


def _wait(processes: Sequence[Process], seconds: float) -> list[int | None]:
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return [process.returncode for process in processes]


def _said(processes: Sequence[Any]) -> str:
    return "".join(process.communicate(timeout=_DEADLINE_SECONDS)[1] for process in processes)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended


def table(trials: Sequence[Trial]) -> str:
    """A line for each command: its kills by signal, by whom they met and when, and those that did no harm."""
    columns = [*(number.name for number in _SIGNALS), *_WHOM, *WHEN]
    lines = [" ".join(["command".ljust(_WIDEST), "kills", *columns, "survived"])]
    by_name: dict[str, list[Trial]] = {}
    for trial in trials:
        by_name.setdefault(trial.victim.name, []).append(trial)
    for name, own in [*by_name.items(), ("all", list(trials))]:
        kills = [kill for trial in own for kill in trial.kills]
        counts = Counter(word for kill in kills for word in (kill.number.name, kill.whom, kill.when))
        numbers = [f"{counts[column]:>{len(column)}}" for column in columns]
        survived = sum(len(trial.kills) for trial in own if not trial.wrong)
        lines.append(" ".join([name.ljust(_WIDEST), f"{len(kills):5}", *numbers, f"{survived:8}"]))
    return "\n".join(lines)


def run(times: int, seed: int, only: str | None, folder: Path) -> list[Trial]:
    """Kill `times` times in all, command by command."""
    chosen = [victim for victim in victims(folder / "data") if only in (None, victim.name, victim.command)]
    draw = random.Random(seed)
    trials: list[Trial] = []
    references: dict[str, Reference] = {}
    left = times
    while left:
        victim = chosen[len(trials) % len(chosen)]
        own = folder / f"{len(trials):03d}"
        if victim.name not in references:
            references[victim.name] = undisturbed(victim, folder / "undisturbed" / str(len(references)))
        num_kills = min(left, draw.randint(1, _MOST_KILLS_OF_ONE))
        trials.append(attack(victim, references[victim.name], own, num_kills, draw))
        left -= num_kills
        wrong = "".join(f"\n  {line}" for line in trials[-1].wrong)
        kept = f"\n  {own} is kept" if wrong else ""
        kills = ", ".join(f"{kill.number.name} to {kill.whom} {kill.when}" for kill in trials[-1].kills)
        print(f"{victim.name}: {kills}{wrong}{kept}", flush=True)
    return trials


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, metavar="N", help="kills in all")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn: moments, signals, whom they meet")
    parser.add_argument("--only", metavar="NAME", help="a command (labels build, train, …) or a line of the table")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    trials = run(arguments.times, arguments.seed, arguments.only, folder)
    print(f"\n{table(trials)}")
    if any(trial.wrong for trial in trials):
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
