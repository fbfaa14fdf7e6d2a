"""Phases decide what share of its patches a ViT sees."""

from pathlib import Path

import pytest
import torch
from torch import nn

from labelshards.errors import CatlipError
from tests.tiny_run import Recorder, go
from trainer import run
from trainer.config import load
from trainer.encoders import models
from trainer.encoders.models import ModelConfig
from trainer.encoders.token_dropout import set_share, share_of
from trainer.stream.steps import Phase

TINY_VIT = ModelConfig(name="vit_tiny_patch16_224", image_size=64, kwargs={"depth": 1, "embed_dim": 32, "num_heads": 2})


def tokens_seen(model: nn.Module, size: int) -> int:
    """Those that the first block gets, class token included."""
    seen = []
    blocks = model.get_submodule("blocks")
    hook = blocks.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[1]))
    model(torch.zeros(1, 3, size, size))
    hook.remove()
    return int(seen[0])


def test_set_share__is_what_blocks_see_in_training_alone() -> None:
    model = models.build(TINY_VIT, 3).train()
    assert tokens_seen(model, 64) == 1 + 16
    set_share(model, 0.5)
    assert tokens_seen(model, 64) == 1 + 8
    set_share(model, 0.0)
    assert tokens_seen(model, 64) == 1 + 16
    set_share(model, 0.75)
    assert tokens_seen(model.eval(), 64) == 1 + 16


def test_set_share__without_patches_is_refused() -> None:
    with pytest.raises(CatlipError, match="has no token_dropout, which is for ViTs"):
        set_share(models.build(ModelConfig(name="resnet18", kwargs={"layers": [1, 1, 1, 1]}), 3), 0.5)


def test_share_of__a_phase_wins_over_the_whole_run() -> None:
    whole = ModelConfig(kwargs={"patch_drop_rate": 0.25})
    assert share_of(Phase(until=0.5, image_size=64, token_dropout=0.0), whole) == 0.0
    assert share_of(Phase(until=0.5, image_size=64), whole) == 0.25
    assert share_of(None, whole) == 0.25
    assert share_of(None, ModelConfig()) == 0.0


def test_train__phases_drop_tokens_and_resuming_is_exact(labels: Path, tmp_path: Path) -> None:
    settings = ["model.image_size=64", "plan.phases=[{until=0.5, image_size=32, token_dropout=0.5}]"]
    whole = go(labels, tmp_path / "whole", *settings)
    broken = go(labels, tmp_path / "broken", *settings, watcher=Recorder(stop_after=7))
    assert not broken.finished
    assert go(labels, tmp_path / "broken", *settings).finished
    one, two = (run.open_run(tmp_path / name).model.state_dict() for name in ("whole", "broken"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    plain = go(labels, tmp_path / "plain", "model.image_size=64", "plan.phases=[{until=0.5, image_size=32}]")
    assert plain.metrics is not None
    assert whole.metrics is not None
    assert plain.metrics.loss != whole.metrics.loss


def test_train__token_dropout_of_another_encoder_is_refused_before_anything_is_written(
    labels: Path, tmp_path: Path
) -> None:
    phases = "plan.phases=[{until=0.5, image_size=32, token_dropout=0.5}]"
    with pytest.raises(CatlipError, match="token_dropout"):
        go(labels, tmp_path / "run", "model.name=resnet18", "model.kwargs={layers=[1, 1, 1, 1]}", phases)
    assert not (tmp_path / "run").exists()


def test_load__a_share_of_one_is_refused() -> None:
    with pytest.raises(CatlipError, match="phases"):
        load(None, ["plan.phases=[{until=0.5, image_size=32, token_dropout=1.0}]"])
