import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from catlip_cli import options as shared
from catlip_cli import probe as command
from catlip_cli.main import run
from tests.forked import Forked
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from tests.tiny_run import go
from trainer.naming import ModelFacts
from trainer.probes import results
from trainer.probes.results import DataFacts, Result, Score, Spread


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    go(write_label_set(folder, coloured(2, 10)), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data") / "colours"
    for split, count in (("train", 4), ("test", 2)):
        for class_id in range(3):
            for number in range(count):
                path = data / split / f"colour{class_id}" / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture(COLOURS[class_id], seed=number))
    (data / "train" / "colour0" / "broken.jpg").write_bytes(b"nothing")
    return data


def test_probe__table_has_the_run_the_random_encoder_and_chance(
    trained: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", str(trained), "--data", str(colours), "--fraction", "50%,100%", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "run (step 12) on" in said
    assert "linear, protocol sweep; 3 classes, 13 pictures to train on, 6 to test" in said
    for words in ("this model", "random weights", "most frequent class", " ± ", "50 %", "100 %"):
        assert words in said
    assert "Left out: 1 (no known format)." in said
    assert f"Results are in {trained}/probes." in said
    assert said.endswith(f"Next: catlip probe compare {trained}/probes\n")


def test_probe__json_is_one_object(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--task",
        "linear,knn,fewshot",
        "--protocol",
        "catlip,dinov2",
        "--out",
        str(tmp_path),
        "--json",
        "--no-random",
    ]
    assert run(["probe", str(trained), "--data", str(colours), *options]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    names = [f"{each['task']} {each['protocol']}" for each in found]
    assert names == ["linear catlip", "linear dinov2", "knn dino", "fewshot ridge"]
    assert 0 <= found[0]["scores"][0]["metrics"]["top1"]["mean"] <= 1
    assert len(list((tmp_path / "probes").glob("*.json"))) == 4


def test_probe__mistakes_are_one_line(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["probe", "vit_nonsense", "--data", str(trained)]) == 1
    assert "there is no training split" in capsys.readouterr().err
    labels = str(trained.parent / "labels")
    assert run(["probe", str(trained), "--data", labels, "--test", labels]) == 1
    assert "has several classes a picture; linear wants one" in capsys.readouterr().err
    assert run(["probe", str(trained), "--data", str(tmp_path / "no")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_probe__what_is_odd_is_used_or_counted(
    trained: Path, colours: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Grey, transparent and palette pictures; broken ones; an empty folder; a class that the test split has not."""
    data = tmp_path / "odd"
    shutil.copytree(colours, data)
    rng = np.random.default_rng(0)
    for mode, depth in (("L", 1), ("LA", 2), ("RGBA", 4)):
        pixels = rng.integers(0, 256, (20, 30, depth)).astype(np.uint8)
        Image.fromarray(pixels.squeeze(), mode).save(data / "train" / "colour1" / f"{mode}.png")
        Image.fromarray(pixels[..., 0]).convert("P").save(data / "test" / "colour1" / f"{mode}.png")
    (data / "train" / "colour1" / "cut.jpg").write_bytes(picture(COLOURS[1])[:-300])
    (data / "train" / "nothing").mkdir()
    shutil.rmtree(data / "test" / "colour2")
    options = ["--task", "linear,knn,fewshot,finetune", "--protocol", "sweep,lbfgs,dinov2", "--no-random"]
    options += ["--set", "finetune.epochs=1", "--out", str(tmp_path / "out"), "--json"]
    assert run(["probe", str(trained), "--data", str(data), *options]) == 0
    results = json.loads(capfd.readouterr().out)["results"]
    assert [each["task"] for each in results] == ["linear", "linear", "linear", "knn", "fewshot", "finetune"]
    for each in results:
        assert each["data"]["left_out"] == {"an empty folder": 1, "damaged": 1, "no known format": 1}
        assert (each["data"]["classes_without_test"], each["data"]["num_test"]) == (1, 7)
        for score in each["scores"]:
            assert [share is None for share in score["per_class"]] == [False, False, True]
            assert 0 <= score["metrics"]["mean_per_class"]["mean"] <= 1


def test_probe__labels_out_of_range_and_one_class_alone(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"]}}}})}
    for split in ("train", "test"):
        labels = [0, 1, 0, 1, 2, -1, None]
        rows = [
            {"image": picture(COLOURS[number % 6], seed=number), "label": label} for number, label in enumerate(labels)
        ]
        pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(names), tmp_path / f"{split}.parquet")
    words = ["probe", str(trained), "--data", str(tmp_path), "--task", "knn", "--no-random", "--out", str(tmp_path)]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "Left out: 4 (label out of range)." in said
    assert "Left out: 2 (no label)." in said
    pq.write_table(pa.Table.from_pylist(rows[:1]), tmp_path / "train.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:1]), tmp_path / "test.parquet")
    assert run(words) == 1
    assert "the training split has one class alone; a probe tells classes apart." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fraction", "0%"], "no share of the data"),
        (["--fraction", "0.5"], "no share of the data"),
        (["--fraction", "200%"], "no share of the data"),
        (["--task", "guess"], "is none of linear, knn, fewshot, multilabel, zeroshot"),
        (["--protocol", "sweep,x"], "'x' is none of"),
        (["--init", "guess"], "is none of zeros, random, transfer"),
        (["--protocol", "deeplab"], "--protocol deeplab is of none of linear"),
        (["--set", "finetune.epochs=1"], "zeroshot, finetune, segment, detect have settings; none is asked for."),
        (["--set", "linear.epochs=3"], "zeroshot, finetune, segment, detect have settings; none is asked for."),
        (
            ["--task", "linear,finetune", "--set", "segment.epochs=1"],
            "begin with a task that is asked for (finetune)",
        ),
    ],
)
def test_probe__options_that_mean_nothing(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "model", "--data", "x", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_tasks_and_protocols__are_those_of_the_library() -> None:
    from trainer.probes import linear, tasks, transfer
    from trainer.probes.finetune import task as finetune
    from trainer.probes.segment import task as segment

    assert list(shared.TASKS) == list(tasks.TASKS)
    assert command.INITS == transfer.INITS
    known = {"linear": linear.PROTOCOLS, "finetune": finetune.PROTOCOLS, "segment": segment.PROTOCOLS}
    assert {task: list(protocols) for task, protocols in command.PROTOCOLS.items()} == {
        task: list(protocols) for task, protocols in known.items()
    }


def test_probe__zeroshot_and_transfer_say_what_matched(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "named"
    for split in ("train", "test"):
        (data / split).mkdir(parents=True)
        for old, new in (("colour0", "Colour0"), ("colour1", "tint"), ("colour2", "xqzt")):
            (data / split / new).symlink_to(colours / split / old)
    options = ["--task", "zeroshot,linear", "--protocol", "catlip", "--init", "zeros,transfer", "--out", str(tmp_path)]
    assert run(["probe", str(trained), "--data", str(data), *options]) == 0
    said = capsys.readouterr().out
    assert said.count("2 of 3 classes are in the vocabulary: 1 by name or id, 1 by a synonym, 1 not at all.") == 2
    for words in ("as trained", "frequency removed", "top-1 of matched", "catlip, transfer init", "stood for by"):
        assert words in said
    assert "colour0.n.01" in said.partition("stood for by")[2]
    assert len(list((tmp_path / "probes").glob("run-step12-linear-catlip__transfer_init-named-*.json"))) == 1


def test_probe__without_wordnet_names_are_matched_all_the_same(
    trained: Path, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "labelgen.meaning.atlas", None)  # as where the labels half is not installed
    options = ["--task", "zeroshot", "--out", str(tmp_path), "--json"]
    assert run(["probe", str(trained), "--data", str(colours), *options]) == 0
    said = capsys.readouterr()
    assert "WordNet is not here: classes are matched by ids, names and synonyms" in said.err
    [result] = json.loads(said.out)["results"]
    assert [match["kind"] for match in result["matches"]] == ["exact"] * 3


def test_compare__table_markdown_csv_json_and_plot(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--task", "knn,fewshot", "--out", str(tmp_path), "--no-random"]
    assert run(["probe", str(trained), "--data", str(colours), *options]) == 0
    capsys.readouterr()
    compare = ["probe", "compare", str(tmp_path / "probes")]
    assert run(compare) == 0
    said = capsys.readouterr().out
    assert "knn on colours: 3 classes, 13 pictures to train on, 6 to test" in said
    assert "fewshot on colours" in said
    assert f"Next: {' '.join(['catlip', *compare])} --plot probes.png" in said
    assert run([*compare, "--task", "knn", "--format", "markdown", "--plot", str(tmp_path / "plot.png")]) == 0
    assert capsys.readouterr().out.startswith("### knn on colours")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert run([*compare, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("data,task,protocol,model,")
    assert run([*compare, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 2
    assert run([*compare, "--metric", "mAP", "--plot", str(tmp_path / "no.png")]) == 1
    assert "--metric mAP: no result has it" in capsys.readouterr().err
    assert run(["probe", "compare", str(tmp_path / "absent.json")]) == 1
    assert "does not exist. `catlip probe` writes such files." in capsys.readouterr().err
    assert run(["probe", "compare"]) == 2
    assert "catlip probe compare [OPTIONS] RESULTS..." in capsys.readouterr().err


@pytest.mark.slow
def test_compare__without_matplotlib_or_a_folder_for_its_cache(tmp_path: Path) -> None:
    """Plots alone need it, and what it would say about its cache is not said."""
    data = DataFacts(name="x", path="x", classes=["a"], num_train=1, num_test=1, left_out={}, classes_without_test=0)
    score = Score(encoder="model", setting="", metrics={"top1": Spread.of([0.5])})
    model = ModelFacts(name="m", kind="run", weights="w", parameters=1)
    made = Result(
        task="knn", protocol="p", settings={}, model=model, weights_digest="", data=data, seeds=[0], scores=[score],
        versions={},
    )  # fmt: skip
    compare = ["probe", "compare", str(results.write(tmp_path, made))]
    start = "import sys; {}from catlip_cli.main import run; sys.exit(run(sys.argv[1:]))"
    (here := tmp_path / "here.py").write_text(start.format(""))
    (bare := tmp_path / "bare.py").write_text(start.format("sys.modules['matplotlib'] = None; "))
    plot = [*compare, "--plot", str(tmp_path / "plot.png")]
    needs = r"Error: this command needs matplotlib[.a-z]*\. Install it with: pip install 'catlip\[plots\]'\n"
    for words, code, said in (([bare, *compare], 0, ""), ([bare, *plot], 1, needs), ([here, *plot], 0, "")):
        process = Forked([*map(str, words)], {**os.environ, "MPLCONFIGDIR": "/dev/null/absent"})
        assert re.fullmatch(said, process.communicate()[1])
        assert process.returncode == code
    assert (tmp_path / "plot.png").is_file()


def test_probe__a_model_may_be_called_as_a_command_is(
    trained: Path, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compare").symlink_to(trained)
    monkeypatch.chdir(tmp_path)
    assert run(["probe", "./compare", "--data", str(colours), "--task", "knn", "--no-random"]) == 0
    assert "knn, protocol dino" in capsys.readouterr().out
