from pathlib import Path

import pytest
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer import checkpoints
from trainer.checkpoints import CheckpointInfo, TrainState, newest, read_info, read_tensors, save
from trainer.optim import Ema, OptimConfig, build_optimizer


def info(step: int) -> CheckpointInfo:
    return CheckpointInfo(step=step, samples=step * 8, bad={"damaged": 1}, config_digest="c", vocabulary_digest="v")


def fresh(seed: int) -> TrainState:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    return TrainState(model, Ema(model, 0.9), build_optimizer(model, OptimConfig()))


def advance(state: TrainState, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        state.optimizer.zero_grad()
        state.model(torch.randn(5, 3)).square().sum().backward()
        state.optimizer.step()
        state.ema.update(state.model, step)


def test_state__goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    unbroken, stopped, resumed = fresh(0), fresh(0), fresh(1)
    advance(unbroken, range(6))
    advance(stopped, range(3))
    resumed.load(read_tensors(save(tmp_path, stopped.tensors(), info(3))))
    advance(resumed, range(3, 6))
    expected, found = unbroken.tensors(), resumed.tensors()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert {name.partition(".")[0] for name in found} == {"model", "ema", "optim"}
    assert "optim.exp_avg.0.weight" in found


def test_save__keeps_the_newest_two(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        save(tmp_path, {"model.a": torch.ones(2)}, info(step))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000010.safetensors",
        "step-00000100.safetensors",
    ]


def test_newest__skips_what_was_cut_off_and_says_so(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, {"model.a": torch.ones(1000)}, info(step))
    cut = tmp_path / "step-00000002.safetensors"
    cut.write_bytes(cut.read_bytes()[:-10])
    notes: list[str] = []
    found = newest(tmp_path, notes.append)
    assert found is not None
    assert found[1] == info(1)
    assert len(notes) == 1
    assert "step-00000002.safetensors is not a readable checkpoint" in notes[0]


def test_newest__none_yet(tmp_path: Path) -> None:
    assert newest(tmp_path / "nothing", print) is None


def test_read_info__other_formats_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, {"model.a": torch.ones(1)}, info(1))
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", 3)
    with pytest.raises(CatlipError, match="has checkpoint format 2; this catlip reads 3"):
        read_info(path)


def test_read_info__a_foreign_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "step-1.safetensors")
    with pytest.raises(CatlipError, match="not a readable checkpoint"):
        read_info(tmp_path / "step-1.safetensors")


def test_read_tensors__by_prefix(tmp_path: Path) -> None:
    path = save(tmp_path, {"model.a": torch.ones(1), "ema.a": torch.zeros(1)}, info(1))
    assert read_tensors(path, "ema.") == {"a": torch.zeros(1)}
