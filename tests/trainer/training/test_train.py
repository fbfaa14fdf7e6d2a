import os
import signal
from pathlib import Path

import msgspec
import pytest
import torch

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import Recorder, go
from trainer import run
from trainer.config import Config
from trainer.metrics import Metrics
from trainer.stream.plan import make_plan
from trainer.stream.samples import Samples
from trainer.training import checkpoints

GOLDEN = [
    2.24009, 2.011651, 2.172481, 2.129415, 1.744699, 1.836776, 1.851625, 1.648461, 1.717519, 1.660816,
    1.644876, 1.601602, 1.512803, 1.687918, 1.477255, 1.450422, 1.487227, 1.539632, 1.671638, 1.509564,
]  # fmt: skip


def final(out: Path) -> bytes:
    return (out / "checkpoints" / "step-00000012.safetensors").read_bytes()


def lines(out: Path) -> list[Metrics]:
    return [msgspec.json.decode(line, type=Metrics) for line in (out / "metrics.jsonl").read_bytes().splitlines()]


@pytest.fixture(scope="module")
def unbroken(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken")
    go(labels, out)
    return out


def test_train__leaves_a_whole_run(labels: Path, unbroken: Path) -> None:
    opened = run.open_run(unbroken)
    assert opened.checkpoint.step == 12
    assert opened.checkpoint.samples == 96
    assert opened.record.num_samples == 30
    assert torch.__version__.startswith(opened.record.versions["torch"])
    assert opened.vocabulary.synsets[0] == "colour0.n.01"
    assert [line.step for line in lines(unbroken)] == [4, 8, 12]
    assert sorted(path.name for path in (unbroken / "checkpoints").iterdir()) == [
        "step-00000008.safetensors",
        "step-00000012.safetensors",
    ]


def test_train__learns(labels: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    go(labels, tmp_path / "run", "plan.steps=60", "loop.log_every=20", "loop.checkpoint_every=60", watcher=recorder)
    losses = [metrics.loss for metrics in recorder.metrics]
    assert losses[0] < 2.6  # four classes at their prior: 2.25
    assert losses[-1] < 0.75 * losses[0]


def test_train__golden_losses(labels: Path, tmp_path: Path) -> None:
    """Numerics are a contract: a change that is not about them leaves these as they are."""
    go(labels, tmp_path / "run", "plan.steps=20", "loop.log_every=1")
    assert [line.loss for line in lines(tmp_path / "run")] == pytest.approx(GOLDEN, rel=1e-4)


@pytest.mark.parametrize("stop_after", [1, 4, 6])
def test_train__stopped_and_resumed_ends_with_the_same_bits(
    labels: Path, unbroken: Path, tmp_path: Path, stop_after: int
) -> None:
    out = tmp_path / "run"
    stopped = go(labels, out, watcher=Recorder(stop_after))
    assert not stopped.finished
    assert stopped.new_steps == stop_after + 1  # the step in hand is finished
    recorder = Recorder()
    resumed = go(labels, out, watcher=recorder)
    assert resumed.finished
    assert recorder.started[0].step == stop_after + 1
    assert recorder.steps == list(range(stop_after + 2, 13))
    assert final(out) == final(unbroken)


def test_train__going_back_to_an_older_checkpoint_ends_with_the_same_bits(
    labels: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    go(labels, out)
    newest = out / "checkpoints" / "step-00000012.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    with (out / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 12, "samp')
    recorder = Recorder()
    go(labels, out, watcher=recorder)
    [start] = recorder.started
    assert start.step == 8
    assert "not a readable checkpoint" in start.notes[0]
    assert final(out) == final(unbroken)
    assert [line.step for line in lines(out)] == [4, 8, 12]
    assert [line.loss for line in lines(out)] == [line.loss for line in lines(unbroken)]


def test_train__a_finished_run_is_left_alone(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(labels, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock" and path.is_file()}
    again = go(labels, out)
    assert again.finished
    assert again.new_steps == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_train__another_configuration_is_refused(labels: Path, unbroken: Path) -> None:
    with pytest.raises(CatlipError, match=r"was trained with optim.lr = 0.003, now it is 0.1\. Use the same settings"):
        go(labels, unbroken, "optim.lr=0.1")
    assert go(labels, unbroken, "loop.log_every=3").finished


def test_train__another_vocabulary_is_refused(unbroken: Path, tmp_path: Path) -> None:
    other = write_label_set(tmp_path, coloured(3, 10), prefix="shade")
    with pytest.raises(CatlipError, match=r"was trained on .*, which had other classes"):
        go(other, unbroken)


def test_train__other_shards_are_refused(unbroken: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"labels = .*--allow-change labels to go on"):
        go(write_label_set(tmp_path, coloured(2, 10)), unbroken)


def test_train__two_writers_of_one_run_are_refused(labels: Path, tmp_path: Path) -> None:
    with run.writing(tmp_path), pytest.raises(CatlipError, match="Another catlip command is writing"):
        go(labels, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", r"file is a file; a run is a folder\. Choose another --out\."),
        ("file/below", r"No run can be written to .*file.* \(.*\)\. Choose another --out\."),
    ],
)
def test_train__a_folder_that_cannot_be_is_one_line(labels: Path, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatlipError, match=message):
        go(labels, tmp_path / name)


@pytest.mark.parametrize("steps", [3, 12])
def test_train__a_loss_that_is_not_finite_names_the_step(labels: Path, tmp_path: Path, steps: int) -> None:
    with pytest.raises(CatlipError, match=r"Step [23]: loss .*Lower optim.lr"):
        go(labels, tmp_path / "run", "optim.lr=1e30", "optim.warmup_steps=0", f"plan.steps={steps}")
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))


def broken_lines(out: Path) -> list[run.Broken]:
    return [msgspec.json.decode(line, type=run.Broken) for line in (out / "broken.jsonl").read_bytes().splitlines()]


def broken_set(folder: Path, num_broken: int, rows: int = 40) -> Path:
    good = picture(COLOURS[0])
    return write_label_set(
        folder,
        [[Item(key=f"k{n}", labels=[n % 4], image=b"broken" if n < num_broken else good) for n in range(rows)]],
    )


def test_train__broken_pictures_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = go(broken_set(tmp_path, 2), out, "plan.steps=10")  # two epochs
    assert outcome.metrics is not None
    assert outcome.metrics.bad.keys() == {"no known format"}
    assert sum(outcome.metrics.bad.values()) >= 4
    assert run.open_run(out).checkpoint.bad == outcome.metrics.bad
    listed = broken_lines(out)
    assert len(listed) == sum(outcome.metrics.bad.values())
    assert {line.sample for line in listed} == {"00000/k0", "00000/k1"}
    assert {line.reason for line in listed} == {"no known format"}


def test_train__broken_pictures_are_listed_once_whatever_is_done_again(tmp_path: Path) -> None:
    labels, whole, out = broken_set(tmp_path, 2), tmp_path / "whole", tmp_path / "run"
    go(labels, whole)
    go(labels, out, watcher=Recorder(9))
    (out / "checkpoints" / "step-00000010.safetensors").unlink()  # goes on after step 8
    go(labels, out)
    assert broken_lines(out) == broken_lines(whole)


def test_train__too_many_broken_pictures_stop_it_and_are_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(
        CatlipError, match=r"max_bad_fraction = 0.01 allows\. .*broken.jsonl, for example 00000/k\d+ \(no"
    ):
        go(broken_set(tmp_path, 20), out)
    assert len({line.sample for line in broken_lines(out)}) > 10
    # Nothing is taken up again but the error names the list once more.
    with pytest.raises(CatlipError, match=r"broken.jsonl"):
        go(broken_set(tmp_path, 20), out)


def test_train__interrupted_twice_by_hand_ends_at_once(labels: Path, tmp_path: Path) -> None:
    class Impatient(Recorder):
        def update(self, metrics: Metrics | None, step: int) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        go(labels, tmp_path / "run", watcher=Impatient())


def test_open_run__nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="holds nothing of the kind"):
        run.open_run(tmp_path)


def test_open_run__a_checkpoint_of_another_run_is_refused(labels: Path, tmp_path: Path, tiny: Config) -> None:
    go(labels, tmp_path / "a")
    go(labels, tmp_path / "b", "seed=1")
    ours = checkpoints.newest(tmp_path / "b" / "checkpoints", print)
    assert ours is not None
    for path in (tmp_path / "a" / "checkpoints").iterdir():
        path.write_bytes(ours[0].read_bytes())
    with pytest.raises(CatlipError, match="does not belong to"):
        run.open_run(tmp_path / "a")


def test_train__a_loss_that_goes_wrong_names_the_samples_of_its_step(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(CatlipError, match=r"Step 2: .*The step's 8 samples are listed in .*stopped.txt \(0000\d/"):
        go(labels, out, "optim.lr=1e30", "optim.warmup_steps=0", "loop.log_every=1")
    names = (out / "stopped.txt").read_text().splitlines()
    assert len(set(names)) == 8
    samples = Samples([LabelSet.open(str(labels))])
    plan = make_plan(samples.counts(), seed=0, window_shards=8)
    assert names == [samples.name(shard, nth) for shard, nth in plan.locate(8, 16).tolist()]


def test_train__fp16_stopped_and_resumed_ends_with_the_same_bits(labels: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    narrow = ("loop.precision=fp16", "loop.accumulate=2")
    go(labels, whole, *narrow)
    go(labels, out, *narrow, watcher=Recorder(5))
    assert go(labels, out, *narrow).finished
    assert final(out) == final(whole)
    assert lines(whole)[-1].loss == pytest.approx(lines(out)[-1].loss)


def test_train__parts_change_no_loss(labels: Path, tmp_path: Path) -> None:
    still = "model.kwargs.drop_path_rate=0.0"
    go(labels, tmp_path / "one", still)
    go(labels, tmp_path / "three", still, "loop.accumulate=3")
    one, three = ([line.loss for line in lines(tmp_path / name)] for name in ("one", "three"))
    assert three == pytest.approx(one, rel=1e-6)


def test_train__more_parts_than_samples_are_refused(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"loop.accumulate = 9 is more than the 8 samples"):
        go(labels, tmp_path / "run", "loop.accumulate=9")
    assert not (tmp_path / "run").exists()


def test_train__a_change_that_is_allowed_goes_on(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(labels, out, watcher=Recorder(5))
    longer = ("plan.steps=20", "optim.lr=1e-3", "optim.min_lr=1e-4")
    with pytest.raises(
        CatlipError, match=r"plan.steps = 12, now it is 20, .*--allow-change plan.steps --allow-change o"
    ):
        go(labels, out, *longer, allow_change=["optim.lr"])
    keys = ["plan.steps", "optim.lr", "optim.min_lr"]
    recorder = Recorder(7)
    go(labels, out, *longer, allow_change=keys, watcher=recorder)
    assert recorder.started[0].step == 6
    # From here on the new settings are the run's own.
    assert go(labels, out, *longer).finished
    assert run.open_run(out).checkpoint.step == 20


def test_train__allowed_changes_of_a_run_without_newer_checkpoints(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(labels, out, watcher=Recorder(5))
    with pytest.raises(CatlipError, match="training cannot go on"):
        go(labels, out, "optim.lr=1e30", allow_change=["optim.lr"])
    assert run.open_run(out).checkpoint.step == 6
    assert go(labels, out, allow_change=["optim.lr"]).finished


def test_train__other_shards_that_are_allowed_go_on(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(labels, out, watcher=Recorder(5))
    other = write_label_set(tmp_path, coloured(2, 10))
    assert go(other, out, allow_change=["labels"]).finished


def test_train__an_allowed_change_must_be_a_setting(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"--allow-change: unknown key optim.lrr; did you mean optim.lr\?"):
        go(labels, tmp_path / "run", allow_change=["optim.lrr"])


def test_train__another_encoder_cannot_take_the_weights(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(labels, out, watcher=Recorder(5))
    wider = "model.kwargs.embed_dim=48"
    with pytest.raises(CatlipError, match="The checkpoint does not fit this encoder"):
        go(labels, out, wider, allow_change=["model.kwargs.embed_dim"])
    assert go(labels, out).finished


def test_open_run__the_best_needs_an_evaluation(unbroken: Path) -> None:
    with pytest.raises(CatlipError, match=r"No checkpoint in .* has been evaluated"):
        run.open_run(unbroken, best=True)
