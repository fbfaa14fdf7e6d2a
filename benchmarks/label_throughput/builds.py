"""Whole builds, as the command line makes them: what they take, and what two workers bring."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Builds(NamedTuple):
    """publishing: CPU seconds a caption of the process that leads, which makes the label set of the candidates; less
    those of a build of a hundred captions.

    two_workers: how much faster than two builds by one worker each at once. bytes_per_sample: of the label set with
    its candidates. peak_mib: of the process that leads.
    """

    publishing: float
    two_workers: float
    bytes_per_sample: float
    peak_mib: float


def build(captions: list[str]) -> Builds:
    """Five builds of the captions, or of a part of them."""
    folder = Path(tempfile.mkdtemp())
    few, *halves = (folder / f"{name}.tsv" for name in ("few", "odd", "even"))
    for path, own in ((few, captions[:100]), (halves[0], captions[::2]), (halves[1], captions[1::2])):
        path.write_text("".join(f"{text}\t\n" for text in own))
    sources = list(map(str, halves))
    start_up, _ = _run([[str(few), "--out", str(folder / "labels-few"), "--workers", "1", "--threshold", "1"]])
    alone, _ = _run([[*sources, "--out", str(folder / "labels-one"), "--workers", "1"]])
    _, together = _run([[*sources, "--out", str(folder / "labels"), "--workers", "2"]])
    _, apart = _run([[path, "--out", f"{path}-labels", "--workers", "1"] for path in sources])
    size = sum(path.stat().st_size for path in (folder / "labels").rglob("*") if path.is_file())
    return Builds(
        publishing=(alone - start_up) / (len(captions) - 100),
        two_workers=apart / together,
        bytes_per_sample=size / len(captions),
        peak_mib=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


def _run(arguments: list[list[str]]) -> tuple[float, float]:
    """Run builds at once → (CPU seconds, seconds). Workers are no children of this process: their time is not in it."""
    command = [sys.executable, "-m", "catlip_cli.main", "labels", "build", "--json", "--threshold", "10"]
    cpu, start = _cpu_seconds(), time.perf_counter()
    runs = [
        subprocess.Popen([*command, *own], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for own in arguments
    ]
    if any([run.wait() for run in runs]):  # noqa: C419  (each is waited for)
        sys.exit("A build failed.")
    return _cpu_seconds() - cpu, time.perf_counter() - start


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
