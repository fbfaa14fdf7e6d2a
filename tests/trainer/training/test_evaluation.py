from pathlib import Path

import msgspec
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import Recorder, go
from trainer import run
from trainer.training.evaluation import Score

RARELY = ("eval.every=20", "optim.ema_decay=0.5")
EVERY = ("eval.every=4", "optim.ema_decay=0.5")


@pytest.fixture(scope="module")
def heldout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of three of the four classes; one of them is broken, one has no label."""
    rows = [Item(key=f"k{n}", labels=[n % 3], image=picture(COLOURS[n % 3], seed=900 + n)) for n in range(6)]
    rows += [Item(key="broken", labels=[0], image=b"broken"), Item(key="none", image=picture(COLOURS[0]))]
    return write_label_set(tmp_path_factory.mktemp("heldout"), [rows])


def scores(out: Path) -> list[Score]:
    return [msgspec.json.decode(line, type=Score) for line in (out / "eval.jsonl").read_bytes().splitlines()]


@pytest.fixture(scope="module")
def evaluated(labels: Path, heldout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated")
    outcome = go(labels, out, *RARELY, f"eval.labels={heldout}", "plan.steps=42", "tracking.tensorboard=true")
    assert outcome.score == scores(out)[-1]
    return out


def test_evaluation__what_is_learnt_is_seen(evaluated: Path) -> None:
    found = scores(evaluated)
    assert [score.step for score in found] == [20, 40, 42]
    assert {score.samples for score in found} == {6}
    assert {score.classes for score in found} == {3}
    assert max(score.mean_ap for score in found) > 0.9
    assert found[-1].precision_at_5 == pytest.approx(0.25)  # of four classes one is right
    assert found[-1].precision_at_1 > 0.6


def test_evaluation__the_best_checkpoint_stays(evaluated: Path) -> None:
    best = run.open_run(evaluated, best=True).checkpoint
    assert best.score == max(score.mean_ap for score in scores(evaluated))
    assert run.open_run(evaluated).checkpoint.step == 42


def test_evaluation__sheets_are_pictures(evaluated: Path) -> None:
    paths = sorted((evaluated / "sheets").iterdir())
    assert len(paths) == 3
    assert paths[-1].name == "step-00000042.png"
    with Image.open(paths[-1]) as sheet:
        assert sheet.width > 600


def test_tracking__tensorboard_has_the_curves(evaluated: Path) -> None:
    events = EventAccumulator(str(evaluated / "tensorboard"))
    events.Reload()
    assert [point.step for point in events.Scalars("train/loss")][:3] == [4, 8, 12]
    assert events.Scalars("eval/mean_ap")[-1].value == pytest.approx(scores(evaluated)[-1].mean_ap)
    assert len(events.Images("eval/pictures")) > 0


def test_evaluation__changes_no_weight_and_is_done_again_after_a_resume(
    labels: Path, heldout: Path, tmp_path: Path
) -> None:
    plain, watched = tmp_path / "plain", tmp_path / "watched"
    held = (*EVERY, f"eval.labels={heldout}", "eval.pictures=0")
    go(labels, plain, EVERY[1])
    go(labels, watched, *held, "loop.checkpoint_every=6", watcher=Recorder(8))
    assert [score.step for score in scores(watched)] == [4, 8]
    (watched / "checkpoints" / "step-00000009.safetensors").unlink()
    go(labels, watched, *held)
    assert [score.step for score in scores(watched)] == [4, 8, 12]
    ours, theirs = (run.open_run(folder).model.state_dict() for folder in (watched, plain))
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    assert not (watched / "sheets").exists()


@pytest.mark.parametrize("case", ["vocabulary", "nothing", "missing"])
def test_evaluation__a_set_that_cannot_serve_is_refused(labels: Path, tmp_path: Path, case: str) -> None:
    shards = [[Item(key="a", image=picture(COLOURS[0]))]] if case == "nothing" else coloured(1, 4)
    prefix = "shade" if case == "vocabulary" else "colour"
    heldout = tmp_path / "none" if case == "missing" else write_label_set(tmp_path, shards, prefix=prefix)
    said = {"vocabulary": "another vocabulary", "nothing": "no sample with", "missing": "none does not exist"}
    with pytest.raises(CatlipError, match=said[case]):
        go(labels, tmp_path / "run", f"eval.labels={heldout}")
    assert not (tmp_path / "run").exists()


def test_evaluation__only_broken_pictures(labels: Path, tmp_path: Path) -> None:
    heldout = write_label_set(tmp_path, [[Item(key="a", labels=[0], image=b"broken")]])
    with pytest.raises(CatlipError, match=r"No picture of eval.labels = .* can be read"):
        go(labels, tmp_path / "run", f"eval.labels={heldout}")


@pytest.mark.slow
def test_tracking__wandb_offline_leaves_a_run(
    labels: Path, heldout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    out = tmp_path / "run"
    go(labels, out, *EVERY, f"eval.labels={heldout}", "eval.pictures=2", "tracking.wandb=offline")
    assert list((out / "wandb").glob("offline-run-*/*.wandb"))
