"""How the command line speaks: results to stdout, progress and errors to stderr; plain lines without a terminal."""

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
# As shells have it: 128 and the number of the signal.
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

SECONDS_BETWEEN_LINES = 30.0  # so that logs of long runs stay short

# Where nobody looks at a terminal, tables are as wide as they like.
_WIDE = 200
_NEVER_CUT = 24  # characters of a cell
_LONGEST_CELL = 60
_GAP = "  "

# No emoji codes: ":dog:" in a path or a gloss stays what it is.
stdout = Console(highlight=False, emoji=False, width=None if sys.stdout and sys.stdout.isatty() else _WIDE)
stderr = Console(stderr=True, highlight=False, emoji=False)


class Terminated(KeyboardInterrupt):
    """SIGTERM: a scheduler takes the machine away."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise Terminated here, so that it ends the work as cleanly as Ctrl-C does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut the ending short
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def write_out(data: bytes, where: str) -> None:
    """Write a result to a path or URI, or to stdout, which is `-`."""
    from labelshards import storage

    if where == "-":
        click.echo(data, nl=False)
    else:
        storage.write_bytes(where, data)


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], limit: int = 0) -> None:
    """A table on stdout, one line a row. `columns`: (name, "left" | "right"); only long texts are cut to fit.

    Where that does not do, the last columns are left out, and a line names them. limit: so many rows, as the command's
    --limit says; 0 is all.
    """
    num_rows, rows = len(rows), rows[: limit or None]
    natural = [
        min(_LONGEST_CELL, max(cell_len(text) for text in (name, *(row[at] for row in rows))))
        for at, (name, _) in enumerate(columns)
    ]
    widths = _fit(natural, stdout.width)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for (name, side), width in zip(columns, widths, strict=False):
        justify: JustifyMethod = "right" if side == "right" else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row[: len(widths)]))
    stdout.print(table)
    if left_out := [name for name, _ in columns[len(widths) :] if name]:
        stdout.print(f"No room for: {', '.join(left_out)}.", style="dim")
    if num_rows > len(rows):
        stdout.print(f"… {num_rows - len(rows):,} more; --limit 0 shows all.", style="dim")


def _fit(natural: Sequence[int], room: int) -> list[int]:
    """Widths of as many columns as there is room for, the longest cut first; at least one."""
    for number in range(len(natural), 0, -1):
        widths = list(natural[:number])
        left = room - len(_GAP) * (number - 1)
        while sum(widths) > left and max(widths) > _NEVER_CUT:
            widths[widths.index(max(widths))] -= 1
        if sum(widths) <= left:
            return widths
    return [max(1, min(natural[0], room))]


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """A titled block of `name  value` lines on stdout."""
    stdout.print(title, style="bold", markup=False)
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        stdout.print(f"  {name:<{width}}  {value}", markup=False, soft_wrap=True)


def print_next(*words: str, when: str = "") -> None:
    """The command that a person would run now, quoted as a shell wants it. when: what to know before it is run."""
    note = f"   ({when})" if when else ""
    stdout.print(f"Next: {shlex.join(words)}{note}", style="green", markup=False, soft_wrap=True)


class Ticker:
    """Progress of one long task: `update` as often as you like; it is shown on stderr without flooding it."""

    def __init__(self, total: int, show: Callable[[int, int, str], None], hide: Callable[[], None]) -> None:
        self._total = total
        self._show = show
        self.close = hide

    def update(self, done: int, text: str = "", total: int | None = None) -> None:
        """`done` of the total, and a short text (rates, losses) beside it. `total`: if it was not known before."""
        self._total = total or self._total
        self._show(done, self._total, text)


@contextmanager
def progress(what: str, total: int, *, started_at: int = 0) -> Iterator[Ticker]:
    """A progress bar on a terminal, one line every 30 s elsewhere. `started_at`: what an earlier run had done."""
    ticker = _bar(what, total, started_at) if stderr.is_terminal else _lines(what, total, started_at)
    try:
        yield ticker
    finally:
        ticker.close()


def _bar(what: str, total: int, started_at: int) -> Ticker:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )
    task = bar.add_task(what, total=total, completed=started_at, text="")
    bar.start()
    return Ticker(total, lambda done, total, text: bar.update(task, completed=done, total=total, text=text), bar.stop)


def _lines(what: str, total: int, started_at: int) -> Ticker:
    start = last = time.monotonic()

    def show(done: int, total: int, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SECONDS_BETWEEN_LINES:
            return
        last = now
        left = duration((total - done) * (now - start) / (done - started_at)) if done > started_at else "unknown"
        click.echo(f"{what}: {done:,} of {total:,}, {text}{', ' if text else ''}ETA {left}", err=True)

    return Ticker(total, show, lambda: None)


def count(number: int, noun: str) -> str:
    """`1 shard`, `2 shards`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def size(num_bytes: int) -> str:
    """`1500` → `1.5 kB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{num_bytes / scale:.1f} {unit}"
    return f"{num_bytes} bytes"


def duration(seconds: float) -> str:
    """`75.4` → `1 min 15 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def near(path: str) -> str:
    """A path below the working directory without it, as people type it; others as they are."""
    return path.removeprefix(f"{Path.cwd()}/")
