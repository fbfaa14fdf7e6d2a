"""What commands that go over pictures share: their argument, progress, summaries."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.pictures.summary import Summary
    from trainer.pictures.units import Unit

_MB = 1_000_000

pictures_argument = click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")


def find_units(words: Sequence[str], moved: dict[str, str]) -> "list[Unit]":
    """The units that `words` name; what was named twice is said."""
    from trainer.pictures import finding, units

    found = finding.find(words, lambda: sys.stdin.buffer.read())
    if found.repeated:
        terminal.stderr.print(f"Note: {terminal.count(found.repeated, 'file')} named again, and taken once.")
    return units.cut(found.sources, moved)


@contextmanager
def passing(what: str, units: "Sequence[Unit]") -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the bytes of `units`, from the first report on; yields report(bytes, pictures)."""
    total = max(1, sum(unit.size for unit in units) // _MB)
    start = time.monotonic()
    with ExitStack() as stack:
        ticker: terminal.Ticker | None = None

        def report(num_bytes: int, pictures: int) -> None:
            nonlocal ticker
            if ticker is None:  # what an earlier run had done is known only now
                ticker = stack.enter_context(terminal.progress(f"{what} (MB)", total, started_at=num_bytes // _MB))
            rate = pictures / max(1e-9, time.monotonic() - start)
            ticker.update(num_bytes // _MB, f"{terminal.count(pictures, 'picture')}, {rate:,.0f} pictures/s")

        yield report


def print_summary(
    summary: "Summary", out: str, seconds: float, *, as_json: bool, is_new: bool, then: Sequence[str] = ()
) -> int:
    """The summary of OUT and the exit code. then: the words of the next command, if not to look at OUT."""
    if as_json:
        told = {"out": out, "changed": is_new, "seconds": round(seconds, 3), **msgspec.to_builtins(summary)}
        terminal.print_json(told)
    else:
        if not is_new:
            terminal.stdout.print(f"Nothing to do: {out} is finished.", markup=False, soft_wrap=True)
        facts = [("pictures", f"{summary.pictures:,}")]
        if summary.problems:
            facts.append(("without result", _by_reason(summary.problems)))
        if is_new:
            facts.append(("time", terminal.duration(seconds)))
        terminal.print_facts(f"Wrote {out}" if is_new else f"In {out}", facts)
        look = f"import pyarrow.parquet as pq; print(pq.read_table({out!r}))"
        terminal.print_next(*(then or ("python", "-c", look)))
    return print_damage(summary.damaged)


def print_damage(damaged: dict[str, str]) -> int:
    """Tell on stderr of tars that break off; the exit code."""
    for source, damage in damaged.items():
        terminal.stderr.print(f"Warning: {source} is {damage}.", style="yellow", markup=False, soft_wrap=True)
    return terminal.EXIT_SOME_FAILED if damaged else 0


def _by_reason(problems: dict[str, int]) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in problems.items())
    return f"{sum(problems.values()):,} ({reasons}); see column problem"
