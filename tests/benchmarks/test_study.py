"""The study, at a size that takes seconds: every step is the real one, by the real commands, on coloured pictures."""

import subprocess
import tarfile
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import pytest

from benchmarks.study import __main__ as study
from benchmarks.study import costs, figures, label_sets, place, report, running
from benchmarks.study.arms import ARMS, GROUPS, Arm, chosen
from benchmarks.study.costs import Cost, Stage
from benchmarks.study.figures import Line, Mark, Panel, draw
from benchmarks.study.running import Length, Point
from labelshards.labelset import LabelSet
from tests.forked import Forked
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from trainer.config import load

TINY = [
    "--set=plan.steps=1",
    "--set=plan.batch_size=6",
    "--set=model.kwargs.depth=1",
    "--set=model.kwargs.embed_dim=24",
    "--set=model.kwargs.num_heads=2",
]


def write_pictures(folder: Path) -> Path:
    """Four colours to tell apart, five pictures of each to train on and two to test."""
    for split, count in (("train", 5), ("test", 2)):
        for colour in range(4):
            for number in range(count):
                path = folder / split / f"colour{colour}" / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture(COLOURS[colour], seed=100 * colour + number + 50 * (split == "test")))
    return folder


def forked_run(words: list[str], *, stderr: IO[bytes], **_: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401
    """`subprocess.run` by processes that need not import torch anew."""
    process = Forked(words[1:])
    out, errors = process.communicate()
    stderr.write(errors.encode())
    return subprocess.CompletedProcess(words, process.returncode or 0, out.encode())


LENGTH = Length(steps=1_125, batch_size=128, num_samples=6_000)


def stage(first: int, *seconds: float) -> Stage:
    return Stage(first=first, image_size=64, seconds=list(seconds), reading=0.5)


def test_cost__is_the_sum_of_its_stages_at_their_least() -> None:
    cost = Cost(stages=[stage(0, 2.0, 1.0, 3.0), stage(10, 4.0)], own_tower=7.0)
    assert cost.seconds_until(4) == 4.0
    assert cost.seconds_until(12) == 10 * 1.0 + 2 * 4.0
    assert cost.seconds_until(12, reading=True) == 18.0 + 12 * 0.5
    assert cost.seconds_until(12, own_tower=True) == 12 * 7.0
    assert cost.spread() == "1,000 (2,000), then 4,000 (4,000)"


def test_reached__by_straight_lines_or_never() -> None:
    marks = [(100.0, 0.2), (200.0, 0.4), (400.0, 0.3)]
    assert report.reached(marks, 0.1) == 100.0
    assert report.reached(marks, 0.3) == pytest.approx(150.0)
    assert report.reached(marks, 0.5) is None


def test_chosen__groups_and_arms_come_once() -> None:
    assert [arm.name for arm in chosen("width,clip-width-96,catlip")] == ["catlip-width-96", "clip-width-96", "catlip"]
    with pytest.raises(SystemExit, match="nobody is neither a group"):
        chosen("nobody")


@pytest.mark.parametrize("arm", ARMS.values(), ids=lambda arm: arm.name)
def test_arms__are_recipes_that_can_be_read(arm: Arm) -> None:
    load(running.recipe(arm), arm.settings)


def test_arms__see_as_many_samples_and_are_probed_at_eighths() -> None:
    assert running.steps_of(ARMS["clip"], LENGTH) == [141, 282, 564, 846, 1_125]
    assert running.steps_of(ARMS["catlip-asymmetric"], LENGTH) == [1_125]
    for arm in GROUPS["main"]:
        config = load(running.recipe(arm), arm.settings)
        assert config.optim == load(running.recipe(ARMS["catlip"])).optim
        assert config.model == load(running.recipe(ARMS["catlip"])).model


def test_prepare__arms_with_label_sets_of_their_own_want_flickr8k(tmp_path: Path) -> None:
    given = place.Study(
        out=tmp_path,
        data=tmp_path,
        labels=tmp_path,
        heldout=tmp_path,
        probes=tmp_path,
        settings=(),
        seeds=range(1),
        jobs=1,
    )
    label_sets.prepare(given, chosen("main"))
    with pytest.raises(SystemExit, match="corenet, pos-nouns are built from Flickr8k"):
        label_sets.prepare(given, chosen("labeler"))


def test_part__a_tenth_is_among_three_tenths(test_data: Path, tmp_path: Path) -> None:
    found = {}
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "0.tar").symlink_to(test_data / "flickr8k" / "val" / "00000.tar")
    for percent in (10, 30):
        label_sets._part(tmp_path / "some", tmp_path / str(percent), percent)
        with tarfile.open(tmp_path / str(percent) / "0.tar") as tar:
            found[percent] = {member.name.partition(".")[0] for member in tar}
    assert [len(keys) for keys in found.values()] == [100, 300]
    assert found[10] < found[30]


def test_best_of__takes_each_probes_best_line() -> None:
    def line(encoder: str, **metrics: float) -> dict[str, Any]:
        return {"encoder": encoder, "metrics": {name: {"mean": value} for name, value in metrics.items()}}

    results = [
        {"task": "knn", "scores": [line("model", top1=0.3), line("model", top1=0.4), line("random", top1=0.2)]},
        {"task": "multilabel", "scores": [line("model", mAP=0.1)]},
    ]
    assert running.best_of(results, "model") == {"knn": 0.4, "mean_ap": 0.1}
    assert running.best_of(results, "random") == {"knn": 0.2}


def test_draw__one_place_or_equal_values_are_no_error() -> None:
    lines = [Line("one", [Mark(1.0, 0.5, 0.5, 0.5)]), Line("two", [Mark(1.0, 0.5, 0.5, 0.5)])]
    for logarithmic in (False, True):
        png = draw([[Panel("title", "epochs", lines, logarithmic=logarithmic)]])
        assert png.startswith(b"\x89PNG")


def test_draw__bands_from_worst_to_best_and_what_is_untrained() -> None:
    """Each arm and the broken line are named once for all panels, though only one of them knows what is untrained."""
    lines = [Line(arm, [Mark(4.0, 0.3, 0.2, 0.35), Mark(40.0, 0.5, 0.4, 0.55)]) for arm in ("one", "two")]
    row = [Panel("title", "epochs", lines), Panel("title", "minutes", lines, logarithmic=True, floor=0.1)]
    figure = figures._figure([row])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two", "untrained"]
    for axes in figure.axes:
        corners = {tuple(corner) for corner in np.asarray(axes.collections[1].get_paths()[0].vertices)}
        assert corners >= {(4, 0.2), (4, 0.35), (40, 0.4), (40, 0.55)}
        assert np.array_equal(axes.lines[1].get_xydata(), [[4, 0.3], [40, 0.5]])
    figure.draw_without_rendering()
    low, high = figure.axes[1].get_xlim()
    ticks = zip(figure.axes[1].get_xticks(), figure.axes[1].get_xticklabels(), strict=True)
    assert [label.get_text() for tick, label in ticks if low < tick < high] == ["10", "30"]
    assert figure.axes[1].lines[2].get_linestyle() == "--"
    assert set(np.asarray(figure.axes[1].lines[2].get_ydata())) == {0.1}


def test_write__says_what_each_arm_reached(tmp_path: Path) -> None:
    made = place.Study(
        out=tmp_path, data=tmp_path, labels=None, heldout=None, probes=tmp_path, settings=(), seeds=range(2), jobs=1
    )
    made.points.mkdir()
    for arm, values in (("clip", (0.2, 0.3)), ("catlip", (0.3, 0.4))):
        for seed in range(2):
            for step, value in zip((100, 200), values, strict=True):
                point = Point(
                    arm=arm, seed=seed, step=step, samples=128 * step,
                    linear=value + 0.01 * seed, knn=0.1, mean_ap=value / 10,
                )  # fmt: skip
                (made.points / f"{arm}-s{seed}-{step:06d}.json").write_bytes(msgspec.json.encode(point))
    costs_of = {"clip": Cost(stages=[stage(0, 1.2)], own_tower=12.0), "catlip": Cost(stages=[stage(0, 0.6)])}
    text = report.write(made, LENGTH, costs_of)
    assert "| clip | 2 | 30.5 (30.0 to 31.0) | 10.0 (10.0 to 10.0) | 3.0 (3.0 to 3.0) | 4.0 | 5.7 | 40.0 |" in text
    # CLIP's best, 30.5 %, took 240 s; CatLIP has it after its first 100 steps, which took 60 s.
    assert "| catlip | 1.0: 4.0 x, 40 x |" in text
    assert (tmp_path / "report" / "study.png").is_file()


@pytest.mark.slow
def test_study__trains_probes_reports_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_label_set(tmp_path / "main", coloured(2, 10))
    heldout = write_label_set(tmp_path / "heldout", coloured(1, 8), words=LabelSet.open(str(labels)).vocabulary)
    pictures = write_pictures(tmp_path / "pictures")
    monkeypatch.setattr("benchmarks.study.place.subprocess.run", forked_run)
    monkeypatch.setattr(costs, "alone", lambda function, *arguments: function(*arguments))
    words = ["--out", str(tmp_path / "study"), "--labels", str(labels), "--heldout", str(heldout)]
    words += ["--probes", str(pictures), "--seeds", "1", "--rounds", "1", "--jobs", "1", *TINY]

    study.main([*words, "--arms", "catlip-fast"])
    out = capsys.readouterr().out
    assert "1 of 1 runs done" in out
    points = sorted(path.name for path in (tmp_path / "study" / "points").iterdir())
    assert points == ["catlip-fast-s0-000001.json"]
    assert len(list((tmp_path / "study" / "runs" / "catlip-fast-s0" / "checkpoints").iterdir())) == 1
    assert (tmp_path / "study" / "report" / "study.png").stat().st_size > 10_000
    assert "| catlip-fast | 1 |" in (tmp_path / "study" / "report" / "study.md").read_text()

    study.main([*words, "--arms", "catlip-fast"])
    assert "0 runs of 1 steps are left to do" in capsys.readouterr().out
