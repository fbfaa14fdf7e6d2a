"""Whole builds, as the command line makes them: what they take, and what two workers bring."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, NamedTuple

_SET_CHILD_SUBREAPER = 36  # of Linux's prctl


class Build(NamedTuple):
    """A build by one worker: CPU seconds of all of its processes, from their first moment on.

    beside_parse: the share of a worker's time that is not the parse. two_workers: how much faster two workers are than
    two builds by one worker each at once, if that was asked for.
    bytes_per_sample: of the label set with its candidates. peak_mib: of the process that leads.
    """

    num_captions: int
    seconds: float
    publish_seconds: float
    beside_parse: float
    two_workers: float | None
    bytes_per_sample: float
    peak_mib: float


class _Run(NamedTuple):
    """CPU seconds and seconds of builds at once, the most memory that a leader took, and what the first one printed."""

    cpu_seconds: float
    seconds: float
    peak_mib: float
    told: dict[str, Any]


def build(captions: list[str], with_two_workers: bool) -> Build:
    """A build of the captions, or four, of them or of half of them. Call it in a process that has no other children."""
    folder = Path(tempfile.mkdtemp())
    whole, *halves = (folder / f"{name}.tsv" for name in ("whole", "odd", "even"))
    for path, own in ((whole, captions), (halves[0], captions[::2]), (halves[1], captions[1::2])):
        path.write_text("".join(f"{text}\t\n" for text in own))
    alone = _run([[str(whole), "--out", str(folder / "labels"), "--workers", "1"]])
    two_workers = None
    if with_two_workers:
        together = _run([[*map(str, halves), "--out", str(folder / "labels-two"), "--workers", "2"]])
        apart = _run([[str(path), "--out", f"{path}-labels", "--workers", "1"] for path in halves])
        two_workers = apart.seconds / together.seconds
    stages = alone.told["worker_seconds"]
    size = sum(path.stat().st_size for path in (folder / "labels").rglob("*") if path.is_file())
    return Build(
        num_captions=len(captions),
        seconds=alone.cpu_seconds,
        publish_seconds=alone.told["publish_seconds"],
        beside_parse=1 - stages["parse"] / sum(stages.values()),
        two_workers=two_workers,
        bytes_per_sample=size / len(captions),
        peak_mib=alone.peak_mib,
    )


def _run(arguments: list[list[str]]) -> _Run:
    """Run builds at once, and wait for all that they started: workers outlive their leader for a moment."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = [sys.executable, "-m", "catlip_cli.main", "labels", "build", "--json", "--threshold", "10"]
    cpu, start = _cpu_seconds(), time.perf_counter()
    seconds, peak = 0.0, 0
    with tempfile.TemporaryFile("w+") as told:
        to: list[IO[str] | int] = [told, *[subprocess.DEVNULL] * (len(arguments) - 1)]
        runs = [
            subprocess.Popen([*command, *own], stdout=out, stderr=subprocess.DEVNULL)
            for own, out in zip(arguments, to, strict=True)
        ]
        leaders = {run.pid for run in runs}
        while True:
            try:
                pid, status, used = os.wait4(-1, 0)
            except ChildProcessError:
                break
            if pid in leaders:
                seconds, peak = time.perf_counter() - start, max(peak, used.ru_maxrss)
                if status:
                    sys.exit("A build failed.")
        told.seek(0)
        return _Run(_cpu_seconds() - cpu, seconds, peak / 1024, json.load(told))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
