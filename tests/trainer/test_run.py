"""The run folder: read while a run goes on, written on a full disk."""

import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from labelshards.errors import CatlipError
from tests.tiny_run import go
from trainer import run
from trainer.naming import RECORD_NAME
from trainer.training import checkpoints
from trainer.training.checkpoints import CheckpointInfo


def test_append_lines__a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        run.append_lines(Path("/dev/full"), [run.Broken(step=1, sample="a", reason="b")])


@pytest.mark.parametrize("sharded", [False, True])
def test_open_run__whose_checkpoint_is_deleted_meanwhile(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sharded: bool
) -> None:
    """A run that goes on writes a newer one, and deletes what a probe has just found."""
    out = tmp_path / "run"
    go(labels, out, "loop.keep_checkpoints=1")
    folder = out / "checkpoints"
    [last] = folder.iterdir()
    data, read_info = last.read_bytes(), checkpoints.read_info
    last.rename(older := folder / "step-00000004.safetensors")
    looked: list[Path] = []

    def find(path: Path) -> CheckpointInfo:
        looked.append(path)
        if path != older:
            return read_info(path)
        if sharded:  # deleted before it says what it is
            older.unlink()
        last.write_bytes(data)
        info = read_info(last)
        older.unlink(missing_ok=True)
        return read_info(path) if sharded else info

    monkeypatch.setattr(checkpoints, "read_info", find)
    assert run.open_run(out).checkpoint.step == 12
    assert looked == [older, last]


@pytest.mark.parametrize("change", ["a tensor is missing", "a tensor has another shape", "more classes"])
def test_open_run__of_files_that_do_not_belong_together_is_one_line(trained: Path, tmp_path: Path, change: str) -> None:
    out = Path(shutil.copytree(trained, tmp_path / "run"))
    [path, *_] = sorted((out / run.CHECKPOINT_FOLDER).glob("*.safetensors"), reverse=True)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        metadata = file.metadata()
    if change == "a tensor is missing":
        del tensors["ema.cls_token"]
    elif change == "a tensor has another shape":
        tensors["ema.cls_token"] = tensors["ema.cls_token"][..., :3].contiguous()
    else:
        text = (out / RECORD_NAME).read_text()
        (out / RECORD_NAME).write_text(text.replace('"num_classes": 4', '"num_classes": 4000000000000'))
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CatlipError, match="Bring back"):
        run.open_run(out)
