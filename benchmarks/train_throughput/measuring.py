"""CPU seconds and peak memory of a piece of work, each in a process of its own, and tables of ratios."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Measured(NamedTuple):
    """CPU seconds, and MiB beyond what was there before, at the worst moment; 0 where it is not measured."""

    seconds: float
    mib: float = 0.0


def timed(prepare: Callable[[], Any], work: Callable[[Any], object], *, repeats: int = 1) -> Measured:
    """`work(prepare())`, of which the preparation is not measured: the fastest of `repeats`, and the largest peak."""
    seconds, mib = [], 0.0
    for _ in range(1 + repeats):  # the first warms up
        prepared = prepare()
        before = peak_mib(fresh=True)
        start = time.process_time()
        work(prepared)
        seconds.append(time.process_time() - start)
        mib = max(mib, peak_mib() - before)
    return Measured(min(seconds[1:]), mib)


def peak_mib(*, fresh: bool = False) -> float:
    if fresh:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is the present again
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def alone(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
    """What `function` returns, in a process of its own with one thread."""
    os.environ |= _ONE_THREAD
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def rounds(
    function: Callable[..., Measured], names: Sequence[str], num_rounds: int, *arguments: object
) -> dict[str, list[Measured]]:
    """`function(name, *arguments)` for each name, round by round, so that what else the machine does falls on all."""
    found: dict[str, list[Measured]] = {name: [] for name in names}
    for _ in range(num_rounds):
        for name in names:
            found[name].append(alone(function, name, *arguments))
    return found


def table(found: dict[str, list[Measured]], against: str, unit: str, per: float = 1.0, memory: bool = False) -> None:
    """One row a variant: time in `unit` (`per` of them a second), how many times faster than `against`, and memory."""
    more = (" extra MiB | less memory by |", " --- | --- |") if memory else ("", "")
    print(f"| variant | {unit} | faster than the first by | spread |{more[0]}\n| --- | --- | --- | --- |{more[1]}")
    base = found[against]
    for name, all_measured in found.items():
        ratios = [b.seconds / m.seconds for b, m in zip(base, all_measured, strict=True)]
        row = f"| {name} | {per * statistics.median(m.seconds for m in all_measured):,.4g} | "
        row += (
            "| |"
            if name == against
            else f"{statistics.median(ratios):.2f} x | {min(ratios):.2f} to {max(ratios):.2f} |"
        )
        if memory:
            mib = statistics.median(m.mib for m in all_measured)
            less = statistics.median(b.mib for b in base) / max(mib, 0.1)
            row += f" {mib:,.0f} | " + (" |" if name == against else f"{less:,.1f} x |")
        print(row)
    print()
