"""The run folder: read while a run goes on, written on a full disk."""

from pathlib import Path

import pytest

from tests.tiny_run import go
from trainer import run
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
