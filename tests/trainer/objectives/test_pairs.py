"""Runs that learn from captions: as whole, as resumable and as usable as those that learn labels."""

import sys
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from catlip_cli import main
from labelshards.errors import CatlipError
from tests.tiny_run import Recorder, go
from tests.trainer.objectives.tiny_text import LEARNING, TEXT
from tests.trainer.test_processes import MODULE, checkpoint, command, finish, running, start_alone, wait_for
from trainer import run
from trainer.encoders import models
from trainer.objectives.towers import Towers
from trainer.opening import open_model
from trainer.training.evaluation import Score

KINDS = ["clip", "siglip"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=KINDS)
def learned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "clip":
        return Path(request.getfixturevalue("clip_run"))
    out = tmp_path_factory.mktemp("learned") / str(request.param)
    named = request.getfixturevalue("named")
    go(named, out, f"objective={request.param}", *LEARNING, f"eval.labels={named}")
    return out


def test_train__learns(learned: Path) -> None:
    losses = [metrics.loss for metrics in run.read_metrics(learned)]
    assert losses[-1] < 0.85 * losses[0]


def test_train__held_out_labels_are_found_by_their_names(learned: Path) -> None:
    """The same scores as of a run on labels, though no label was learnt: captions and classes speak of colours."""
    scores = [msgspec.json.decode(line, type=Score) for line in (learned / "eval.jsonl").read_bytes().splitlines()]
    assert [score.step for score in scores] == [30, 60]
    assert scores[-1].samples == 24
    assert scores[-1].mean_ap > 0.6
    assert run.open_run(learned, best=True).checkpoint.score == max(score.mean_ap for score in scores)
    assert len(list((learned / "sheets").iterdir())) == 2


def test_open_run__both_towers_are_there(learned: Path) -> None:
    opened = run.open_run(learned)
    assert isinstance(opened.model, Towers)
    assert opened.encoder is opened.model.image
    assert not opened.model.training
    x_BCHW = torch.rand(3, 3, 32, 32)
    embedded = opened.model.embed_images(x_BCHW)
    assert opened.texts is not None
    torch.testing.assert_close(opened.texts.project(models.features(opened.encoder, x_BCHW)), embedded)
    assert opened.texts.embed(["red", "blue"] * 200).norm(dim=1).allclose(torch.ones(400))


def test_open_model__is_an_encoder_without_classes(learned: Path) -> None:
    opened = open_model(str(learned), "pretrained", CPU)
    assert opened.vocabulary is None
    assert opened.texts is not None
    assert opened.encoder.digest == open_model(str(learned), "pretrained", CPU).encoder.digest
    assert opened.fresh(1).digest != opened.fresh(2).digest


def test_scale__is_held_at_a_hundred(labels: Path, tmp_path: Path) -> None:
    """With a step so large that the scale would leave at once."""
    for kind, bound in (("clip", 100.0), ("siglip", float("inf"))):
        out = tmp_path / kind
        fast = ("optim.lr=9", "optim.warmup_steps=0", "optim.clip_norm=1e9", "plan.steps=2")
        go(labels, out, f"objective={kind}", *TEXT, *fast, "loop.spike_factor=0")
        state = load_file(checkpoint(out, 2))
        assert state["model.log_scale"].exp().item() <= bound * (1 + 1e-6)


def test_optimizer__scale_bias_and_norms_do_not_decay(labels: Path, tmp_path: Path) -> None:
    """Nothing else moves them where nothing is learnt."""
    out = tmp_path / "run"
    still = ("optim.lr=1e-12", "optim.weight_decay=1", "plan.steps=1")
    go(labels, out, "objective=siglip", *TEXT, *still)
    state = load_file(checkpoint(out, 1))
    assert state["model.log_scale"].item() == pytest.approx(2.302585)
    assert state["model.bias"].item() == -10.0
    assert "model.image.head.bias" not in state


@pytest.mark.parametrize(("kind", "stop_after"), [("clip", 1), ("siglip", 6)])
def test_train__stopped_and_resumed_ends_with_the_same_bits(
    labels: Path, tmp_path: Path, kind: str, stop_after: int
) -> None:
    settings = (f"objective={kind}", *TEXT)
    go(labels, tmp_path / "whole", *settings)
    assert not go(labels, tmp_path / "stopped", *settings, watcher=Recorder(stop_after)).finished
    assert go(labels, tmp_path / "stopped", *settings).finished
    assert checkpoint(tmp_path / "stopped", 12).read_bytes() == checkpoint(tmp_path / "whole", 12).read_bytes()


@pytest.mark.slow
def test_sigkill__resumed_run_ends_with_the_same_bits(labels: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings = ("objective=clip", *TEXT, "plan.steps=20")
    go(labels, whole, *settings, "loop.log_every=5")
    slowed = ("loop.checkpoint_every=1", "loop.keep_checkpoints=40")
    words = command(MODULE, labels, killed, *settings, *slowed)
    with running(start_alone(words)):
        wait_for(checkpoint(killed, 4))
    assert not checkpoint(killed, 20).exists()
    assert "Going on after step" in finish(start_alone(command(MODULE, labels, killed, *settings)))
    assert checkpoint(killed, 20).read_bytes() == checkpoint(whole, 20).read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        [f"plan.multi_scale.{key}" for key in ("num_sizes=3", "min_size=16", "max_size=48", "multiple=16")],
        ["plan.phases=[{until=0.5, image_size=16}]"],
        ["loop.recompute=true"],
        ["augment.range=true"],
        ["loop.precision=bf16"],
    ],
    ids=["sizes", "phases", "recompute", "augment", "bf16"],
)  # fmt: skip
def test_train__what_the_image_tower_can_holds_here_too(labels: Path, tmp_path: Path, settings: list[str]) -> None:
    model = "model.kwargs={depth=2, embed_dim=32, num_heads=2, patch_size=16}"
    outcome = go(labels, tmp_path / "run", "objective=clip", *TEXT, model, "plan.steps=3", *settings)
    assert outcome.finished


def test_accumulation__is_refused(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"compares all samples of a step.*Use loop.accumulate = 1"):
        go(labels, tmp_path / "run", "objective=clip", *TEXT, "loop.accumulate=2")


def test_train__the_objective_is_part_of_a_run(labels: Path, tmp_path: Path) -> None:
    go(labels, tmp_path / "run", "objective=clip", *TEXT, "plan.steps=1")
    with pytest.raises(CatlipError, match='was trained with objective = "clip", now it is "siglip"'):
        go(labels, tmp_path / "run", "objective=siglip", *TEXT, "plan.steps=1")


def test_train__without_open_clip_the_extra_is_named(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    words = command([], labels, tmp_path / "run", "objective=clip", *TEXT)
    assert main.run(words) == 1
    assert "this command needs open_clip. Install it with: pip install 'catlip[baselines]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
