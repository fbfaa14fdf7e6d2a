import csv
import io
from pathlib import Path

import msgspec
import numpy as np
import pytest

from labelshards.errors import CatlipError
from trainer.naming import ModelFacts
from trainer.probes import results
from trainer.probes.compare import group, panels, read_all, to_csv, to_markdown
from trainer.probes.results import DataFacts, Result, Score, Spread


def result(
    by_setting: dict[str, list[float]],
    model: str = "run",
    task: str = "linear",
    data: str = "objects",
    step: int | None = 9,
    settings: dict[str, object] | None = None,
    weights: str = "w",
) -> Result:
    return Result(
        task=task,
        protocol="catlip",
        settings=settings or {},
        model=ModelFacts(name=model, kind="run", weights=weights, parameters=1, step=step),
        weights_digest=f"{weights}123456789",
        data=DataFacts(
            name=data,
            path=f"/{data}",
            classes=["a", "b"],
            num_train=10,
            num_test=4,
            left_out={},
            classes_without_test=0,
        ),
        seeds=[0, 1],
        scores=[
            Score(encoder=encoder, setting=setting, metrics={"top1": Spread.of(values)})
            for encoder in ("model", "random")
            for setting, values in by_setting.items()
        ],
        versions={},
    )


TWO = [result({"10 %": [0.25, 0.5], "100 %": [0.75]}), result({"10 %": [0.125]}, model="other", step=None)]


def test_table__a_row_for_each_line() -> None:
    [found] = group(TWO)
    titles, rows = found.table()
    assert titles == ["model", "protocol", "setting", "top-1"]
    assert rows[0] == ["run (step 9)", "catlip", "10 %", "37.5% ± 17.7%"]
    assert rows[1] == ["run (step 9)", "catlip", "100 %", "75.0%"]
    assert rows[2][0] == "run, random weights"
    assert rows[-2] == ["other", "catlip", "10 %", "12.5%"]


def test_table__the_most_frequent_class_is_no_line_of_the_model() -> None:
    one = result({"": [0.25]}, task="segment")
    majority = Score(encoder="majority", setting="", metrics={"top1": Spread.of([0.125])})
    [found] = group([msgspec.structs.replace(one, scores=[*one.scores, majority])])
    assert [row[0] for row in found.table()[1]] == ["run (step 9)", "run, random weights", "most frequent class"]
    [panel] = panels([found], None)
    assert [line.name for line in panel.lines][-1] == "most frequent class: catlip"


def test_table__what_differs_under_one_name_is_said() -> None:
    """Settings of a protocol, with any model; weights of a model. Shares of the data are lines of their own anyway."""
    [found] = group(
        [
            result({"100 %": [0.5]}, settings={"epochs": 3, "scale": {"sizes": 2}, "fractions": [1.0]}),
            result({"10 %": [0.5]}, settings={"epochs": 5, "scale": {"sizes": 2}, "fractions": [0.1]}, weights="v"),
            result({"100 %": [0.5, 0.5]}, settings={"epochs": 5, "scale": {"sizes": 4}}, model="other"),
        ]
    )
    titles, rows = found.table()
    assert titles == ["model", "protocol", "setting", "differs in", "top-1"]
    assert list(dict.fromkeys(row[3] for row in rows)) == [
        "epochs 3, scale.sizes 2, weights w, digest w1234567",
        "epochs 5, scale.sizes 2, weights v, digest v1234567",
        "epochs 5, scale.sizes 4",
    ]
    assert "| run (step 9) | catlip | 100 % | epochs 3, scale.sizes 2, weights w" in to_markdown(found)
    assert next(csv.DictReader(io.StringIO(to_csv([found]))))["differs in"].startswith("epochs 3")
    [panel] = panels([found], None)
    assert panel.lines[0].name == "run (step 9): catlip, epochs 3, scale.sizes 2, weights w, digest w1234567"
    [alike] = group(TWO)
    assert not any(alike.differences)


def test_table__the_same_measured_by_two_commands_is_one_line() -> None:
    """Other shares are no other probe; and a result of before that has no digest is not told apart by it."""
    before = msgspec.structs.replace(result({"10 %": [0.25]}), weights_digest="")
    [found] = group([result({"10 %": [0.25], "100 %": [0.75]}), before, result({"50 %": [0.5]})])
    titles, rows = found.table()
    assert titles == ["model", "protocol", "setting", "top-1"]
    assert [row[2] for row in rows if row[0] == "run (step 9)"] == ["10 %", "100 %", "50 %"]
    [panel] = panels([found], None)
    assert [[point[0] for point in line.points] for line in panel.lines] == [["10 %", "100 %", "50 %"]] * 2


def test_group__data_and_tasks_apart() -> None:
    found = group([*TWO, result({"x": [0.5]}, task="knn"), result({"x": [0.5]}, data="else")])
    assert [(each.title.partition(":")[0], len(each.results)) for each in found] == [
        ("linear on objects", 2),
        ("knn on objects", 1),
        ("linear on else", 1),
    ]


def test_markdown__is_a_table() -> None:
    lines = to_markdown(group(TWO)[0]).splitlines()
    assert lines[0] == "### linear on objects: 2 classes, 10 pictures to train on, 4 to test"
    assert lines[2:5] == [
        "| model | protocol | setting | top-1 |",
        "| --- | --- | --- | ---: |",
        "| run (step 9) | catlip | 10 % | 37.5% ± 17.7% |",
    ]


def test_csv__has_every_number_as_it_is() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(group(TWO)))))
    assert len(rows) == 6
    first = rows[0]
    assert (first["model"], first["step"], first["encoder"], first["setting"]) == ("run", "9", "model", "10 %")
    assert (float(first["mean"]), first["seeds"]) == (0.375, "2")
    assert float(first["std"]) == pytest.approx(np.std([0.25, 0.5], ddof=1))


def test_read_all__files_folders_and_tasks(tmp_path: Path) -> None:
    written = [results.write(tmp_path, each) for each in (*TWO, result({"x": [0.5]}, task="knn"))]
    assert read_all([tmp_path]) == read_all(sorted(written))
    assert read_all([written[0], tmp_path, written[0]])[0] == TWO[0]
    assert [each.task for each in read_all([tmp_path], ["knn"])] == ["knn"]
    with pytest.raises(CatlipError, match=r"no result of task fewshot\. `catlip probe` writes them"):
        read_all([tmp_path], ["fewshot"])
    (tmp_path / "run" / "probes").mkdir(parents=True)
    with pytest.raises(CatlipError, match="no result"):
        read_all([tmp_path / "run"])
    written[0].rename(tmp_path / "run" / "probes" / "a.json")
    assert read_all([tmp_path / "run"]) == [TWO[0]]


def test_panels__a_line_for_each_model_and_protocol() -> None:
    [panel] = panels(group(TWO), None)
    assert (panel.title, panel.metric) == ("linear on objects", "top-1")
    assert [line.name for line in panel.lines] == [
        "run (step 9): catlip", "run, random weights: catlip", "other: catlip", "other, random weights: catlip",
    ]  # fmt: skip
    assert panel.lines[0].points[0][:2] == ("10 %", 0.375)
    assert panel.lines[0].points[0].std == pytest.approx(0.1768, abs=1e-4)
    with pytest.raises(CatlipError, match=r"--metric nothing: no result has it\. They have top1\."):
        panels(group(TWO), "nothing")


def test_write__clears_what_a_killed_one_left(tmp_path: Path) -> None:
    path = results.write(tmp_path, TWO[0])
    path.with_name(f"{path.name}.partial-1-abcd").write_text("{")
    results.write(tmp_path, TWO[1])
    assert len(read_all([tmp_path])) == 2
    assert {each.suffix for each in tmp_path.iterdir()} == {".json", ""}  # the latter is the lock
