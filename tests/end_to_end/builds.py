"""Real builds as processes: started, watched, killed; and what they left compared with an undisturbed one."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from catlip_cli.main import run

DEADLINE_SECONDS = 600


def cut_tars(whole: Path, folder: Path, num_tars: int, samples_per_tar: int) -> None:
    """Write small tars of three members a sample, cut from a real one."""
    with tarfile.open(whole) as archive:
        for number in range(num_tars):
            with tarfile.open(folder / f"{number:05d}.tar", "w") as part:
                for _ in range(3 * samples_per_tar):
                    member = archive.next()
                    assert member is not None
                    part.addfile(member, archive.extractfile(member))


def command(sources: object, out: object, *arguments: str) -> list[str]:
    build = [sys.executable, "-m", "catlip_cli.main", "labels", "build", str(sources), "--out", str(out)]
    return [*build, "--threshold", "2", *arguments]


def build(
    sources: object, out: object, *arguments: str, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(sources, out, *arguments),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        env=os.environ | (env or {}),
    )


def finish_here(sources: object, out: object, *arguments: str) -> dict[str, bytes]:
    """What the same build leaves, done in this process as the fixture `one_process` lets it: in a tenth of the time."""
    assert run(command(sources, out, *arguments)[3:]) == 0
    return content(out)


@contextmanager
def started(
    sources: object, out: object, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A build in a session of its own; whatever is left of it is killed at the end."""
    with subprocess.Popen(
        command(sources, out, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | (env or {}),
    ) as process:
        try:
            yield process
        finally:
            for pid in [process.pid, *members_of(process.pid)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


def members_of(session: int) -> list[int]:
    """Living processes of a session, its leader left out."""
    lines = subprocess.run(["ps", "-eo", "pid=,sess=,stat="], capture_output=True, text=True, check=True).stdout
    fields = [line.split() for line in lines.splitlines()]
    return [int(pid) for pid, of, state in fields if int(of) == session != int(pid) and not state.startswith("Z")]


def busiest(session: int) -> int:
    """The worker that has computed longest."""
    lines = subprocess.run(["ps", "-eo", "pid=,sess=,cputimes="], capture_output=True, text=True, check=True).stdout
    fields = [[int(field) for field in line.split()] for line in lines.splitlines()]
    return max((seconds, pid) for pid, of, seconds in fields if of == session != pid)[1]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for `condition()`; fail after a while."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def wait_until_alone(session: int) -> None:
    """Wait until no process of a session but its leader lives."""
    wait_until(lambda: not members_of(session))


def content(out: object) -> dict[str, bytes]:
    """Bytes of every file of the label set in a folder; locks and candidates are the builder's own."""
    out = Path(str(out))
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(("_candidates", ".build"))}
