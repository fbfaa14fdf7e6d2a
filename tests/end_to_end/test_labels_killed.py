"""Real builds, killed. What is left must always be the same label set as that of a build that nobody disturbed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NUM_TARS = 4
SAMPLES_PER_TAR = 25
DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def tars(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small tars, cut from real ones."""
    folder = tmp_path_factory.mktemp("tars")
    with tarfile.open(test_data / "flickr8k" / "val" / "00000.tar") as whole:
        members = [whole.next() for _ in range(3 * NUM_TARS * SAMPLES_PER_TAR)]
        for number in range(NUM_TARS):
            with tarfile.open(folder / f"{number:05d}.tar", "w") as part:
                for member in _slice(members, number):
                    part.addfile(member, whole.extractfile(member))
    return folder


def _slice(members: list[tarfile.TarInfo | None], number: int) -> list[tarfile.TarInfo]:
    found = members[3 * SAMPLES_PER_TAR * number : 3 * SAMPLES_PER_TAR * (number + 1)]
    return [member for member in found if member is not None]


def command(tars: Path, out: Path, *arguments: str) -> list[str]:
    build = [sys.executable, "-m", "catlip_cli.main", "labels", "build", str(tars / "*.tar"), "--out", str(out)]
    return [*build, "--threshold", "2", *arguments]


def build(tars: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tars, out, *arguments), capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )


@contextmanager
def started(tars: Path, out: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A build in a session of its own; whatever is left of it is killed at the end."""
    with subprocess.Popen(
        command(tars, out, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
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


def wait_until(condition: object) -> None:
    """Wait for `condition()`; fail after a while."""
    assert callable(condition)
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def content(out: Path) -> dict[str, bytes]:
    """Bytes of every file of the label set; locks and candidates are the builder's own."""
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(("_candidates", ".build"))}


@pytest.fixture(scope="module")
def undisturbed_folder(tars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "labels"
    done = build(tars, out, "--workers", "1")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def undisturbed(undisturbed_folder: Path) -> dict[str, bytes]:
    return content(undisturbed_folder)


def test_build__two_workers_write_the_same_bytes(tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    assert build(tars, tmp_path / "labels", "--workers", "2").returncode == 0
    assert content(tmp_path / "labels") == undisturbed


def test_build__killed_ten_times(tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "labels"
    delays = random.Random(4)
    for number in range(10):
        # The first ones fall into the start, the later ones into reading, writing and publishing.
        with started(tars, out, "--workers", "2", *(["--rebuild"] if number == 5 else [])) as process:
            try:
                process.wait(timeout=delays.uniform(0.2, 1.0 + 0.6 * number))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            session = process.pid
            wait_until(lambda session=session: not members_of(session))  # workers end by themselves
    done = build(tars, out)
    assert done.returncode == 0, done.stderr
    assert content(out) == undisturbed
    assert not [path for path in out.rglob("*") if ".partial-" in path.name]


def test_build__killed_while_publishing(
    tars: Path, tmp_path: Path, undisturbed_folder: Path, undisturbed: dict[str, bytes]
) -> None:
    out = tmp_path / "labels"
    shutil.copytree(undisturbed_folder, out)
    for threshold in ("3", "4"):
        with started(tars, out, "--threshold", threshold) as process:
            wait_until(lambda process=process: not (out / "labelset.json").exists() or process.poll() is not None)
            process.kill()
    assert build(tars, out).returncode == 0
    assert content(out) == undisturbed


def test_build__killed_worker_is_replaced(tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "labels"
    with started(tars, out, "--workers", "2") as process:
        wait_until(lambda: list((out / "_candidates").glob("*.parquet")))
        os.kill(busiest(process.pid), signal.SIGKILL)
        _, said = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0, said
    assert content(out) == undisturbed


def test_build__second_build_is_refused_and_the_first_interrupted(
    tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    out = tmp_path / "labels"
    with started(tars, out, "--workers", "1") as process:
        wait_until(lambda: (out / "_candidates" / "settings.json").exists())
        os.killpg(process.pid, signal.SIGSTOP)  # so that the first one cannot be done before the second one tries
        second = build(tars, out)
        os.killpg(process.pid, signal.SIGCONT)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.startswith(f"Error: Another build is writing to {out}.")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends Ctrl-C
        said, error = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 130, error
        assert said == ""
        assert error.strip() == "Interrupted. Run the same command again to go on."
        wait_until(lambda: not members_of(process.pid))
    assert not (out / "labelset.json").exists()
    assert build(tars, out).returncode == 0
    assert content(out) == undisturbed
