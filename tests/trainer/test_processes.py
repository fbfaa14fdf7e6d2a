"""What only real processes can show: being killed, being many."""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.forked import Forked
from tests.labelset_factory import COLOURS, Item, picture, write_label_set
from tests.pair import start_pair
from tests.tiny_run import TINY, go
from trainer import run

pytestmark = pytest.mark.slow

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
MODULE = ["-m", "catlip_cli.main"]
STEPS = 40
SETTINGS = [f"plan.steps={STEPS}", "loop.log_every=5", "loop.checkpoint_every=5"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(launcher: Sequence[str], labels: Path, out: Path, *overrides: str) -> list[str]:
    options = [word for setting in (*TINY, *SETTINGS, *overrides) for word in ("--set", setting)]
    return [*launcher, "train", "--labels", str(labels), "--out", str(out), *options]


def start_alone(words: Sequence[str]) -> list[Forked]:
    return [Forked(words, ENVIRONMENT)]


@contextmanager
def running(processes: list[Forked]) -> Iterator[list[Forked]]:
    """Whatever a failed test leaves running is ended."""
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@contextmanager
def under_torchrun(words: Sequence[str]) -> Iterator[Forked]:
    """The real launcher, which starts real ranks; they are ended with it."""
    launcher = Forked(words, ENVIRONMENT)
    try:
        yield launcher
    finally:
        if launcher.poll() is None:
            for pid in (*children(launcher.pid), launcher.pid):
                os.kill(pid, signal.SIGKILL)


def finish(processes: list[Forked]) -> str:
    """What they said on stderr; they must end well."""
    with running(processes):
        errors = "".join(process.communicate()[1] for process in processes)
        assert [process.returncode for process in processes] == [0] * len(processes), errors
        return errors


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 180
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def checkpoint(out: Path, step: int) -> Path:
    return out / "checkpoints" / f"step-{step:08d}.safetensors"


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def losses(out: Path) -> list[float]:
    return [metrics.loss for metrics in run.read_metrics(out)]


@pytest.mark.parametrize("start", [start_alone, start_pair], ids=["alone", "two"])
def test_sigkill__resumed_run_ends_with_the_same_bits(
    start: Callable[[Sequence[str]], list[Forked]], labels: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(command(MODULE, labels, whole)))
    for step in sorted(random.Random(start.__name__).sample(range(1, 18), 3)):
        # Slowed down by saving at every step, which changes no weight, so that it is killed on its way.
        words = command(MODULE, labels, killed, "loop.checkpoint_every=1", "loop.keep_checkpoints=40")
        with running(start(words)):
            wait_for(checkpoint(killed, step))
    assert not checkpoint(killed, STEPS).exists()
    assert "Going on after step" in finish(start(command(MODULE, labels, killed)))
    assert checkpoint(killed, STEPS).read_bytes() == checkpoint(whole, STEPS).read_bytes()
    assert losses(killed)[-1] == losses(whole)[-1]


def test_two_ranks__train_as_one_process_does(labels: Path, tmp_path: Path) -> None:
    still = "model.kwargs.drop_path_rate=0.0"  # dropped paths are drawn by each rank
    one, two = tmp_path / "one", tmp_path / "two"
    go(labels, one, *SETTINGS, still)
    finish(start_pair(command(MODULE, labels, two, still, "loss.fused=true")))  # which is the same loss, too
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    a, b = load_file(checkpoint(one, STEPS)), load_file(checkpoint(two, STEPS))
    assert all((a[name] - b[name]).abs().max() < 1e-3 for name in a if name.startswith("ema."))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal__saves_and_exits_130(number: signal.Signals, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(start_alone(command(MODULE, labels, out, "plan.steps=5000"))) as [process]:
        wait_for(out / "metrics.jsonl")
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "Run the same command again to go on." in errors
    assert list((out / "checkpoints").glob("*.safetensors"))


def test_two_ranks__sigterm_of_one_stops_both_at_one_step(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = command(MODULE, labels, out, "plan.steps=5000", "loop.checkpoint_every=4000")
    with running(start_pair(words)) as [main, other]:
        wait_for(out / "metrics.jsonl")
        other.send_signal(signal.SIGTERM)
        said = [process.communicate()[1] for process in (main, other)]
    assert [main.returncode, other.returncode] == [130, 130], said
    assert "Run the same command again to go on." in said[0]
    [saved] = (out / "checkpoints").glob("*.safetensors")
    assert int(saved.stem.removeprefix("step-")) % 5 == 0


def test_torchrun__sigterm_saves_and_ends_every_rank(labels: Path, tmp_path: Path) -> None:
    """The launcher passes it on to its ranks, and waits for them half a minute."""
    out = tmp_path / "run"
    scripted = [*TORCHRUN, "--no-python", str(Path(sys.executable).with_name("catlip"))]
    with under_torchrun(command(scripted, labels, out, "plan.steps=5000", "loop.checkpoint_every=4000")) as launcher:
        wait_for(out / "metrics.jsonl")
        ranks = children(launcher.pid)
        launcher.send_signal(signal.SIGTERM)
        _, errors = launcher.communicate(timeout=120)
    assert "Run the same command again to go on." in errors
    assert not any(alive(pid) for pid in ranks)
    assert run.open_run(out).checkpoint.step % 5 == 0


def test_torchrun__a_dead_rank_is_one_clear_line(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    scripted = [*TORCHRUN, "--no-python", str(Path(sys.executable).with_name("catlip"))]
    with under_torchrun(command(scripted, labels, out, "plan.steps=100000")) as launcher:
        wait_for(out / "metrics.jsonl")
        os.kill(children(launcher.pid)[1], signal.SIGKILL)
        _, errors = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    assert "Error: Another process of this run has died" in errors


def test_two_ranks__one_that_does_not_answer_is_one_clear_line(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = command(MODULE, labels, out, "plan.steps=100000", "distributed.timeout_seconds=3")
    with running(start_pair(words)) as [main, other]:
        wait_for(out / "metrics.jsonl")
        other.send_signal(signal.SIGSTOP)
        _, errors = main.communicate()
    assert main.returncode == 1
    assert "Error: Another process of this run has not answered for 3 s" in errors


def test_two_ranks__broken_pictures_of_both_are_listed(tmp_path: Path) -> None:
    shards = [[Item(key=f"{n}", labels=[n], image=b"" if n == 1 else picture(COLOURS[n])) for n in range(4)]] * 2
    out = tmp_path / "run"
    finish(start_pair(command(MODULE, write_label_set(tmp_path, shards), out, "plan.steps=1", "plan.batch_size=8")))
    # Two shards, of which each rank reads one.
    assert {json.loads(line)["sample"] for line in (out / "broken.jsonl").read_text().splitlines()} == {
        "00000/1",
        "00001/1",
    }


def test_sigkill__workers_do_not_outlive_the_trainer(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running(start_alone(command(MODULE, labels, out, "plan.steps=5000", "data.num_workers=2"))) as [process]:
        wait_for(out / "metrics.jsonl")
        below = children(process.pid)
        below += [grandchild for child in below for grandchild in children(child)]
        assert len(below) >= 3  # the server that forks them, and two workers
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


def test_sigint__of_the_process_that_starts_workers_is_no_traceback(labels: Path, tmp_path: Path) -> None:
    """Ctrl-C reaches it, too; it imports torch for seconds."""
    words = command(MODULE, labels, tmp_path / "run", "plan.steps=5", "data.num_workers=1")
    with running(start_alone(words)) as [process]:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            for pid in children(process.pid):
                if "forkserver" in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGINT)
                    deadline = 0
            time.sleep(0.01)
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
