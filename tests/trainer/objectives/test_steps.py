"""A step of pairs on two ranks is that of one process, under DDP and FSDP2, also with shares of different sizes."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pair import finish_pair
from tests.tiny_run import TINY, go
from tests.trainer.objectives.test_losses import ALONE, assert_same
from tests.trainer.objectives.tiny_text import TEXT
from tests.trainer.one_step import one_step
from trainer import run

KINDS = ["clip", "siglip"]
STRATEGIES = ["ddp", "fsdp"]


def case(kind: str, strategy: str) -> list[str]:
    return [f"objective={kind}", f"distributed.strategy={strategy}", "plan.batch_size=7", *TEXT]


@pytest.mark.slow
def test_step__two_ranks_are_the_whole(labels: Path, tmp_path: Path) -> None:
    cases = [" ".join(case(kind, strategy)) for kind in KINDS for strategy in STRATEGIES]
    finish_pair(["-m", "tests.trainer.one_step", str(labels), str(tmp_path), *cases])
    for first, kind in enumerate(KINDS):
        whole = one_step(labels, ALONE, *case(kind, "ddp"))
        scale = whole.pop("log_scale").item()
        for second in range(len(STRATEGIES)):
            found = load_file(tmp_path / str(2 * first + second))
            # A sum over all pairs of what mostly cancels: of a few rounding errors, not of the gradient's own size.
            assert found.pop("log_scale").item() == pytest.approx(scale, rel=2e-5)
            assert_same(found, whole)


@pytest.mark.slow
def test_train__two_ranks_of_slices_end_as_one_process_does(named: Path, tmp_path: Path) -> None:
    """Steps, held-out scores by names, and checkpoints in slices, of which one process goes on."""
    still = ["model.kwargs.drop_path_rate=0.0", "model.kwargs.qkv_bias=false", "plan.steps=6", "loop.log_every=1"]
    settings = ["objective=siglip", *TEXT, *still, f"eval.labels={named}", "eval.every=6", "eval.pictures=1"]
    fsdp = ["distributed.strategy=fsdp", "distributed.sharded_checkpoints=true"]
    one, two = tmp_path / "one", tmp_path / "two"
    go(named, one, *settings)
    options = [word for setting in (*TINY, *settings, *fsdp) for word in ("--set", setting)]
    finish_pair(["-m", "catlip_cli.main", "train", "--labels", str(named), "--out", str(two), *options])
    assert (two / "checkpoints" / "step-00000006").is_dir()
    losses = [[metrics.loss for metrics in run.read_metrics(folder)] for folder in (one, two)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    ours, theirs = (run.open_run(folder).model.state_dict() for folder in (two, one))
    assert ours["log_scale"].item() == pytest.approx(theirs["log_scale"].item(), rel=1e-6)
    a, b = (torch.cat([state[name].flatten() for name in theirs]) for state in (ours, theirs))
    assert (a - b).norm() <= 1e-4 * b.norm()
    shutil.rmtree(two / "checkpoints" / "step-00000006")
    assert go(named, two, *settings).start.step == 4
