import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from labelshards import storage
from labelshards.errors import CatlipError
from trainer.distributed import World
from trainer.optim import Ema, OptimConfig, build_optimizer
from trainer.training import checkpoints
from trainer.training.checkpoints import CheckpointInfo, best_of, newest, prune, read_info, read_tensors, save_sharded
from trainer.training.state import TrainState

ALONE = World(device=torch.device("cpu"))


def info(step: int, score: float | None = None) -> CheckpointInfo:
    return CheckpointInfo(
        step=step, samples=step * 8, bad={"damaged": 1}, config_digest="c", vocabulary_digest="v", score=score
    )


def save(folder: Path, tensors: dict[str, torch.Tensor], about: CheckpointInfo) -> Path:
    return checkpoints.save(folder, tensors, about, ALONE)


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


@contextmanager
def little_room() -> Iterator[None]:
    """A limit on a file's size fails where a full disk does, in the middle of writing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_save__a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    save(tmp_path, {"model.a": torch.ones(2)}, info(1))
    message = r"step-00000002.safetensors cannot be written: .*Make room there"
    with little_room(), pytest.raises(CatlipError, match=message):
        save(tmp_path, {"model.a": torch.ones(100_000)}, info(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.safetensors"]


def test_save__keeps_the_newest_two(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        save(tmp_path, {"model.a": torch.ones(2)}, info(step))
        prune(tmp_path, 2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000010.safetensors",
        "step-00000100.safetensors",
    ]


def test_prune__the_best_stays(tmp_path: Path) -> None:
    for step, score in ((1, 0.2), (2, 0.5), (3, 0.5), (4, None), (5, 0.1), (6, 0.3)):
        save(tmp_path, {"model.a": torch.ones(2)}, info(step, score))
        prune(tmp_path, 2)
    assert [int(path.stem[5:]) for path in sorted(tmp_path.iterdir())] == [3, 5, 6]
    best = best_of(tmp_path)
    assert best is not None
    assert best[1] == info(3, 0.5)


def test_best_of__none_was_evaluated(tmp_path: Path) -> None:
    save(tmp_path, {"model.a": torch.ones(2)}, info(1))
    assert best_of(tmp_path) is None


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_save_sharded__is_the_same_state(tmp_path: Path) -> None:
    """Slices of two ranks are read by one, and the other way round, in test_resharding.py."""
    state, other = fresh(0), fresh(1)
    advance(state, range(3))
    folder = tmp_path / "checkpoints"
    path = save_sharded(folder, state.tensors(), info(3, 0.5), ALONE)
    assert path.name == "step-00000003"
    found = newest(folder, pytest.fail)
    assert found is not None
    assert found[0] == path
    assert found[1].score == 0.5
    other.load(read_tensors(path, places=other.places()))
    expected = state.tensors()
    assert all(torch.equal(expected[name], tensor) for name, tensor in other.tensors().items())
    assert read_tensors(path, "ema.").keys() == state.ema.module.state_dict().keys()


@pytest.mark.usefixtures("process_group")
def test_save_sharded__a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save_sharded(folder, {"model.a": torch.ones(2)}, info(1), ALONE)
    message = r"^\S+/step-00000002 cannot be written: rank 0: [^\n]*Make room there[^\n]*$"
    with little_room(), pytest.raises(CatlipError, match=message):
        save_sharded(folder, {"model.a": torch.ones(100_000)}, info(2), ALONE)
    assert [path.name for path in folder.iterdir()] == ["step-00000001"]
    save_sharded(folder, {"model.a": torch.ones(100_000)}, info(2), ALONE)


@pytest.mark.usefixtures("process_group")
def test_save_sharded__a_missing_or_cut_slice_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for step in (1, 2, 3):
        save_sharded(folder, {"model.a": torch.ones(1000)}, info(step), ALONE)
    [slice_] = (folder / "step-00000003").glob("*.safetensors")
    slice_.unlink()
    [slice_] = (folder / "step-00000002").glob("*.safetensors")
    slice_.write_bytes(slice_.read_bytes()[:-1])
    (folder / "step-00000009.partial-shared").mkdir()
    notes: list[str] = []
    found = newest(folder, notes.append)
    assert found is not None
    assert found[0].name == "step-00000001"
    assert len(notes) == 2
    prune(folder, 1)
    assert {path.name for path in folder.iterdir()} == {"step-00000003", "step-00000009.partial-shared"}
    storage.remove_leftovers(str(folder))
    assert {path.name for path in folder.iterdir()} == {"step-00000003"}


def test_load__another_encoder_is_refused(tmp_path: Path) -> None:
    state = fresh(0)
    smaller = {name: tensor for name, tensor in state.tensors().items() if name != "model.0.bias"}
    with pytest.raises(CatlipError, match="does not fit this encoder"):
        state.load(smaller)
    with pytest.raises(CatlipError, match="does not fit this encoder"):
        state.load(state.tensors() | {"model.more": torch.ones(1)})


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
