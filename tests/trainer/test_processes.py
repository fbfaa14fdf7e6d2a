"""What only real processes can show: being killed, being many."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest
from safetensors.torch import load_file

from tests.pair import start_pair
from tests.tiny_run import TINY
from trainer.metrics import Metrics

pytestmark = pytest.mark.slow

ALONE = [sys.executable, "-m", "catlip_cli.main"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PAIR = [*TORCHRUN, "-m", "catlip_cli.main"]
STEPS = 40
Start: TypeAlias = Callable[[Sequence[str]], "subprocess.Popen[str]"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(launcher: Sequence[str], labels: Path, out: Path, *overrides: str) -> list[str]:
    settings = [*TINY, f"plan.steps={STEPS}", "loop.log_every=5", "loop.checkpoint_every=5", *overrides]
    options = [word for setting in settings for word in ("--set", setting)]
    return [*launcher, "train", "--labels", str(labels), "--out", str(out), *options]


def finish(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process; whatever a failed test leaves running, ranks included, is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(words: Sequence[str]) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(words, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            for pid in (*children(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            process.communicate()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def checkpoint(out: Path, step: int) -> Path:
    return out / "checkpoints" / f"step-{step:08d}.safetensors"


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def losses(out: Path) -> list[float]:
    return [msgspec.json.decode(line, type=Metrics).loss for line in (out / "metrics.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("launcher", [ALONE, PAIR], ids=["alone", "torchrun"])
def test_sigkill__resumed_run_ends_with_the_same_bits(
    start: Start, launcher: list[str], labels: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = finish(command(launcher, labels, whole))
    assert done.returncode == 0, done.stderr
    # Slowed down by saving at every step, which changes no weight, so that it is killed on its way.
    process = start(command(launcher, labels, killed, "loop.checkpoint_every=1"))
    wait_for(checkpoint(killed, 7))
    ranks = children(process.pid) if launcher is PAIR else []
    for pid in (*ranks, process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert not checkpoint(killed, STEPS).exists()
    resumed = finish(command(launcher, labels, killed))
    assert resumed.returncode == 0, resumed.stderr
    assert "Going on after step" in resumed.stderr
    assert checkpoint(killed, STEPS).read_bytes() == checkpoint(whole, STEPS).read_bytes()
    assert losses(killed)[-1] == losses(whole)[-1]


def test_torchrun__two_ranks_train_as_one_process_does(labels: Path, tmp_path: Path) -> None:
    still = "model.kwargs.drop_path_rate=0.0"  # dropped paths are drawn by each rank
    one, two = tmp_path / "one", tmp_path / "two"
    assert finish(command(ALONE, labels, one, still)).returncode == 0
    scripted = [*TORCHRUN, "--no-python", str(Path(sys.executable).with_name("catlip"))]
    done = finish(command(scripted, labels, two, still, "loss.fused=true"))  # which is the same loss, too
    assert done.returncode == 0, done.stderr
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    a, b = load_file(checkpoint(one, STEPS)), load_file(checkpoint(two, STEPS))
    assert all((a[name] - b[name]).abs().max() < 1e-3 for name in a if name.startswith("ema."))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal__saves_and_exits_130(start: Start, number: signal.Signals, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(command(ALONE, labels, out, "plan.steps=5000"))
    wait_for(out / "metrics.jsonl")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command to go on." in errors
    assert list((out / "checkpoints").glob("*.safetensors"))


def test_torchrun__sigterm_stops_all_ranks_at_one_step(start: Start, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(command(PAIR, labels, out, "plan.steps=5000", "loop.checkpoint_every=4000"))
    wait_for(out / "metrics.jsonl")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert "Run the same command to go on." in errors
    [saved] = (out / "checkpoints").glob("*.safetensors")
    assert int(saved.stem.removeprefix("step-")) % 5 == 0


def test_torchrun__a_dead_rank_is_one_clear_line(start: Start, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(command(PAIR, labels, out, "plan.steps=100000"))
    wait_for(out / "metrics.jsonl")
    os.kill(children(process.pid)[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Error: Another process of this run has died" in errors


def test_torchrun__a_rank_that_does_not_answer_is_one_clear_line(start: Start, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = command(["-m", "catlip_cli.main"], labels, out, "plan.steps=100000", "distributed.timeout_seconds=3")
    main, other = start_pair(words)
    try:
        wait_for(out / "metrics.jsonl")
        other.send_signal(signal.SIGSTOP)
        _, errors = main.communicate(timeout=60)
    finally:
        main.kill()
        other.kill()
    other.communicate()
    assert main.returncode == 1
    assert "Error: Another process of this run has not answered for 3 s" in errors


def test_sigkill__workers_do_not_outlive_the_trainer(start: Start, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(command(ALONE, labels, out, "plan.steps=5000", "data.num_workers=2"))
    wait_for(out / "metrics.jsonl")
    below = children(process.pid)
    below += [grandchild for child in below for grandchild in children(child)]
    assert len(below) >= 3  # the server that forks them, and two workers
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in below):
        assert time.monotonic() < deadline, "workers are still there"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """True if the process runs; a zombie that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
