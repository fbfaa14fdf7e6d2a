"""Real builds, killed. What is left must always be the same label set as that of a build that nobody disturbed."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.builds import (
    DEADLINE_SECONDS,
    build,
    busiest,
    content,
    cut_tars,
    finish_here,
    started,
    wait_until,
    wait_until_alone,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tars(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A few small tars, cut from real ones."""
    folder = tmp_path_factory.mktemp("tars")
    cut_tars(test_data / "flickr8k" / "val" / "00000.tar", folder, num_tars=4, samples_per_tar=25)
    return f"{folder}/*.tar"


@pytest.fixture(scope="module")
def undisturbed_folder(
    tars: str, tmp_path_factory: pytest.TempPathFactory, work_here: Callable[[pytest.MonkeyPatch], None]
) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "labels"
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        finish_here(tars, out)
    return out


@pytest.fixture(scope="module")
def undisturbed(undisturbed_folder: Path) -> dict[str, bytes]:
    return content(undisturbed_folder)


def test_build__two_workers_write_the_same_bytes(tars: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    assert build(tars, tmp_path / "labels", "--workers", "2").returncode == 0
    assert content(tmp_path / "labels") == undisturbed


def test_build__killed_six_times(tars: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "labels"
    delays = random.Random(4)
    for number in range(6):
        # The first ones fall into the start, the later ones into reading, writing and publishing.
        with started(tars, out, "--workers", "2", *(["--rebuild"] if number == 3 else [])) as process:
            try:
                process.wait(timeout=delays.uniform(0.2, 1.0 + number))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            wait_until_alone(process.pid)  # workers end by themselves
    done = build(tars, out)
    assert done.returncode == 0, done.stderr
    assert content(out) == undisturbed
    assert not [path for path in out.rglob("*") if ".partial-" in path.name]


def publishes(process: "subprocess.Popen[str]", out: Path) -> bool:
    """True once it has taken the old manifest away, or has ended."""
    return not (out / "labelset.json").exists() or process.poll() is not None


@pytest.mark.usefixtures("one_process")
def test_build__killed_while_publishing(
    tars: str, tmp_path: Path, undisturbed_folder: Path, undisturbed: dict[str, bytes]
) -> None:
    out = tmp_path / "labels"
    shutil.copytree(undisturbed_folder, out)
    for threshold in ("3", "4"):
        with started(tars, out, "--threshold", threshold) as process:
            wait_until(partial(publishes, process, out))
            process.kill()
    assert finish_here(tars, out) == undisturbed


def test_build__killed_worker_is_replaced(tars: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "labels"
    with started(tars, out, "--workers", "2") as process:
        wait_until(lambda: list((out / "_candidates").glob("*.parquet")))
        os.kill(busiest(process.pid), signal.SIGKILL)
        _, said = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0, said
    assert content(out) == undisturbed


@pytest.mark.usefixtures("one_process")
def test_build__second_build_is_refused_and_the_first_interrupted(
    tars: str, tmp_path: Path, undisturbed: dict[str, bytes]
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
        wait_until_alone(process.pid)
    assert not (out / "labelset.json").exists()
    assert finish_here(tars, out) == undisturbed
