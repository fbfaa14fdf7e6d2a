"""A run goes on with another number of processes: from one file, and from slices."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.pair import finish_pair
from tests.tiny_run import TINY, go
from trainer import run
from trainer.training.checkpoints import read_tensors

pytestmark = pytest.mark.slow

# A bias of attention's keys has no gradient but rounding, which Adam makes as large as any; so there are none here.
STILL = ["model.kwargs.drop_path_rate=0.0", "model.kwargs.qkv_bias=false"]
SETTINGS = [*STILL, "plan.steps=12", "loop.log_every=1", "loop.keep_checkpoints=9"]
FSDP = ["distributed.strategy=fsdp", "distributed.sharded_checkpoints=true"]


def settings(labels: Path) -> list[str]:
    return [*SETTINGS, f"eval.labels={labels}", "eval.every=12", "eval.pictures=1"]


def pair(labels: Path, out: Path, *overrides: str) -> None:
    options = [word for setting in (*TINY, *overrides) for word in ("--set", setting)]
    finish_pair(["-m", "catlip_cli.main", "train", "--labels", str(labels), "--out", str(out), *options])


def half(whole: Path, out: Path) -> Path:
    """The run as it was after a third of its steps."""
    shutil.copytree(whole, out)
    for step in (8, 12):
        for path in (out / "checkpoints").glob(f"step-{step:08d}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return out


def assert_same_end(found: Path, expected: Path) -> None:
    for folder in (found, expected):
        assert run.open_run(folder).checkpoint.step == 12
    ours, theirs = (read_tensors(newest(folder)) for folder in (found, expected))
    assert ours.keys() == theirs.keys()
    for part in ("model.", "ema."):
        names = [name for name in theirs if name.startswith(part)]
        a, b = (torch.cat([tensors[name].flatten() for name in names]) for tensors in (ours, theirs))
        assert (a - b).norm() <= 1e-6 * b.norm()
    assert losses(found) == pytest.approx(losses(expected), rel=1e-6)


def newest(folder: Path) -> Path:
    return max((folder / "checkpoints").iterdir())


def losses(folder: Path) -> list[float]:
    return [metrics.loss for metrics in run.read_metrics(folder)]


def test_resume__on_another_number_of_processes(labels: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    go(labels, one, *settings(labels))
    pair(labels, two, *settings(labels), *FSDP)
    assert newest(two).is_dir()
    assert len(list(newest(two).glob("*.safetensors"))) == 2
    assert_same_end(two, one)
    assert (two / "eval.jsonl").read_bytes() == (one / "eval.jsonl").read_bytes()
    fewer = half(two, tmp_path / "fewer")
    assert go(labels, fewer, *settings(labels)).start.step == 4
    assert newest(fewer).is_file()
    assert_same_end(fewer, two)
    more = half(one, tmp_path / "more")
    pair(labels, more, *settings(labels), *FSDP)
    assert newest(more).is_dir()
    assert_same_end(more, one)
    assert torch.equal(
        read_tensors(newest(two), "ema.")["head.bias"], run.open_run(two).model.get_parameter("head.bias")
    )


def test_range_augment__slices_are_the_whole(labels: Path, tmp_path: Path) -> None:
    on = [*SETTINGS, "augment.range=true", "augment.last_psnr=10"]
    ddp, fsdp = tmp_path / "ddp", tmp_path / "fsdp"
    pair(labels, ddp, *on)
    pair(labels, fsdp, *on, *FSDP)
    ours, theirs = (read_tensors(newest(folder), "augment.")["raw"] for folder in (fsdp, ddp))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    assert losses(fsdp) == pytest.approx(losses(ddp), rel=1e-5)
    logged = [[line.ranges for line in run.read_metrics(folder)][-1] for folder in (fsdp, ddp)]
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)
    fewer = half(fsdp, tmp_path / "fewer")
    assert go(labels, fewer, *on).start.step == 4
    assert run.open_run(fewer).checkpoint.step == 12
