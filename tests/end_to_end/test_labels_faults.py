"""What may go wrong in a night, with real processes, signals, limits and a file system that is really full."""

import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from catlip_cli.main import run
from tests.end_to_end.builds import (
    DEADLINE_SECONDS,
    command,
    content,
    finish_here,
    started,
    wait_until,
    wait_until_alone,
)

pytestmark = pytest.mark.slow

NUM_TARS = 4
# More address space than a build takes (1.7 GiB), and less than a file of 8 GiB.
ADDRESS_SPACE_BYTES = 4 << 30
HUGE_FILE_BYTES = 8 << 30


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory, write_tar: Callable[..., Path]) -> Path:
    """Tars of a few captions each; no test changes them."""
    folder = tmp_path_factory.mktemp("tars")
    for number in range(NUM_TARS):
        captions = [f"A dog and {row} cats on a sofa.".encode() for row in range(30)]
        write_tar(
            folder / f"{number}.tar",
            [(f"{row}.{suffix}", content) for row, caption in enumerate(captions)
             for suffix, content in (("jpg", b"x"), ("txt", caption))],
        )  # fmt: skip
    return folder


@pytest.fixture
def undisturbed(tars: Path, tmp_path: Path, one_process: None) -> dict[str, bytes]:
    return finish_here(f"{tars}/*.tar", tmp_path / "undisturbed")


@pytest.fixture
def own_tars(tars: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(tars, tmp_path / "tars")


def test_build__sigterm_ends_it_cleanly(tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "labels"
    with started(f"{tars}/*.tar", out, "--workers", "2") as process:
        wait_until(lambda: (out / "_candidates" / "settings.json").exists())
        os.killpg(process.pid, signal.SIGTERM)  # as Slurm does before it takes the node away
        said, error = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 143, error
        assert said == ""
        assert error.strip() == "Terminated. Run the same command again to go on."
        wait_until_alone(process.pid)
    assert finish_here(f"{tars}/*.tar", out) == undisturbed


def test_slices__side_by_side_one_killed(
    tars: Path, tmp_path: Path, undisturbed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    out, sources = tmp_path / "labels", f"{tars}/*.tar"
    with (
        started(sources, out, "--slice", "0/2", "--workers", "1") as first,
        started(sources, out, "--slice", "1/2", "--workers", "1") as second,
    ):
        wait_until(lambda: (out / "_candidates" / "settings.json").exists())
        first.kill()
        _, error = second.communicate(timeout=DEADLINE_SECONDS)
        assert second.returncode == 0, error
    # What is left to do, by this process.
    finish = ["labels", "finish", str(out)]
    capsys.readouterr()
    code, error = run(finish), capsys.readouterr().err
    if (out / "_candidates" / "0.parquet").exists() and (out / "_candidates" / "2.parquet").exists():
        assert code == 0, error  # it was killed too late
    else:
        assert code == 1
        assert "--slice 0/2: " in error
        assert "--slice 1/2" not in error
    assert run(command(sources, out, "--slice", "0/2")[3:]) == 0
    assert run(finish) == 0
    assert content(out) == undisturbed


@pytest.mark.usefixtures("one_process")
def test_build__input_that_changes_meanwhile_is_done_by_the_next_run(own_tars: Path, tmp_path: Path) -> None:
    out, last = tmp_path / "labels", own_tars / f"{NUM_TARS - 1}.tar"
    with started(f"{own_tars}/*.tar", out, "--workers", "1") as process:
        wait_until(lambda: (out / "_candidates" / "plan.json").exists())
        os.killpg(process.pid, signal.SIGSTOP)
        shutil.copy(own_tars / "0.tar", tmp_path / "new.tar")
        (tmp_path / "new.tar").replace(last)
        os.killpg(process.pid, signal.SIGCONT)
        _, error = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 3, error
    assert f"{last} changed while it was read. Run the same build again when it is whole." in error
    sources = f"{own_tars}/*.tar"
    assert finish_here(sources, out) == finish_here(sources, tmp_path / "other")


def test_build__without_memory_for_a_file_ends_in_a_line(tmp_path: Path) -> None:
    """The limit of the address space stands for a machine's memory; the file is a hole after its first bytes."""
    with (tmp_path / "huge.json").open("wb") as file:
        file.write(b'{"images": [], "annotations": [')
        file.truncate(HUGE_FILE_BYTES)
    limit = (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES)
    done = subprocess.run(
        command(tmp_path / "huge.json", tmp_path / "labels"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: memory ran out. What is done stays; run the same command again where there is more.\n"


FULL_DISK = """
set -e
mount -t tmpfs -o size=24k none "$MOUNT"
set +e
"$@"; echo "code $?"
ls -A "$MOUNT/labels/_candidates" "$MOUNT/labels"
mount -o remount,size=64m "$MOUNT"
"$@"; echo "code $?"
cp -r "$MOUNT/labels" "$COPY"
"""


def test_build__full_disk_loses_nothing(tars: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    """A tmpfs in a mount namespace of its own, too small at first."""
    private = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run([*private, "mount", "-t", "tmpfs", "none", mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs, so no disk can be filled")
    done = subprocess.run(
        [*private, "sh", "-c", FULL_DISK, "sh", *command(f"{tars}/*.tar", mount / "labels", "--workers", "1")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        env=os.environ | {"MOUNT": str(mount), "COPY": str(tmp_path / "labels")},
    )
    first, second = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert (first, second) == ("code 1", "code 0"), done.stderr
    assert re.match(rf"Error: {mount}/\S+: No space left on device\. ", done.stderr)
    assert done.stderr.count("\n") == 1
    assert ".partial-" not in done.stdout
    assert "labelset.json" not in done.stdout
    assert content(tmp_path / "labels") == undisturbed
