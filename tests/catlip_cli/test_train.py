import json
from pathlib import Path

import pytest

from catlip_cli.main import run
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import TINY


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_set(tmp_path_factory.mktemp("coloured"), coloured(2, 10))


def words(labels: Path, out: Path, *more: str) -> list[str]:
    settings = [word for setting in TINY for word in ("--set", setting)]
    return ["train", "--labels", str(labels), "--out", str(out), *settings, *more]


def test_train__summary_and_next_command(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run(words(labels, out)) == 0
    said = capsys.readouterr().out
    assert "Trained after step 12 of 12" in said
    assert "96 (there are 20)" in said
    assert "step-00000012.safetensors" in said
    assert f"Next: catlip probe {out} --data DATA" in said
    assert run(words(labels, out)) == 0
    assert f"Nothing to do: {out} is finished (12 steps)." in capsys.readouterr().out


def test_train__json_is_one_object(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words(labels, tmp_path / "run", "--json")) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["finished"] is True
    assert outcome["metrics"]["step"] == outcome["new_steps"] == 12
    assert outcome["start"]["num_classes"] == 4


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--set", "optim.lrr=1"], 1, "unknown key optim.lrr; did you mean optim.lr?"),
        (["--recipe", "nowhere.toml"], 1, "There is no recipe nowhere.toml."),
        (["--moved", "somewhere"], 2, "'somewhere' is not OLD=NEW."),
        (["--labels", "nowhere"], 1, "nowhere does not exist. Give a folder that `catlip labels build` wrote."),
        (["--set", "plan.weights=[1, 1, 1]"], 1, "plan.weights has 3 numbers for 1 label set."),
        (["--set", "loss.kind=two-way", "--set", "loss.class_weights=idf"], 1, "two-way loss has no class weights"),
        (["--set", "plan.phases=[{until=0.5, image_size=24}]"], 1, "24 pixels a side are no multiple of"),
    ],
)
def test_train__mistakes_are_one_line(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert run(words(labels, tmp_path / "run", *more)) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train__a_label_set_without_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.labelset_factory import Item

    root = write_label_set(tmp_path, [[Item(key="a", labels=[0], image=None)]])
    assert run(words(root, tmp_path / "run")) == 1
    assert "has labels but no images" in capsys.readouterr().err


def test_train__moved_shards_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_label_set(tmp_path / "a", coloured(1, 10))
    (tmp_path / "a" / "tars").rename(tmp_path / "b")
    assert run(words(root, tmp_path / "run")) == 1
    assert "--moved OLD=NEW" in capsys.readouterr().err
    assert run(words(root, tmp_path / "run", "--moved", f"{tmp_path}/a/tars={tmp_path}/b")) == 0


def test_train__without_a_folder_is_a_mistake_in_use(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--labels", str(labels)]) == 2
    assert "Missing option '--out'; only --dry-run, --plan and --print-recipe need none." in capsys.readouterr().err


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.training import dryrun

    measure = dryrun.measure
    monkeypatch.setattr(dryrun, "measure", lambda *given, **named: measure(*given, **named, seconds=0.05))


@pytest.mark.usefixtures("brief")
def test_dry_run__says_what_bounds(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [word for setting in TINY for word in ("--set", setting)]
    assert run(["train", "--labels", str(labels), "--dry-run", *settings]) == 0
    said = capsys.readouterr().out
    assert "Dry run: 8 images of 32 px a step on cpu" in said
    assert "images/s (the trainer's own process)" in said
    assert "bounds" in said
    again = f"Next: catlip train --labels {labels} --out DIR --set "
    assert said.splitlines()[-1].startswith(again)
    assert run(words(labels, tmp_path / "run", "--dry-run", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    loader, step = found["loader_images_per_second"], found["step_images_per_second"]
    assert found["images_per_second"] == pytest.approx(1 / (1 / loader + 1 / step))
    assert found["cores_needed"] == pytest.approx(step / loader)
    assert found["bound_by"] == ("loader" if loader < step else "step")
    assert not (tmp_path / "run").exists()


def test_train__several_label_sets_by_weight(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--labels", str(labels), "--set", "plan.weights=[3, 1]", "--json"]
    assert run(words(labels, tmp_path / "run", *more)) == 0
    assert json.loads(capsys.readouterr().out)["start"]["num_samples"] == 40
    assert run(words(labels, tmp_path / "run", "--labels", str(labels), "--set", "plan.weights=[1, 1]")) == 1
    assert "was trained with plan.weights = [3.0, 1.0]" in capsys.readouterr().err


def test_train__multi_scale_and_another_loss(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scales = ["plan.multi_scale.num_sizes=3", "plan.multi_scale.min_size=16", "plan.multi_scale.max_size=48"]
    settings = [*scales, "loss.kind=softmax", "loss.class_weights=idf", "plan.batch_size=9"]
    more = [word for setting in settings for word in ("--set", setting)]
    assert run(words(labels, tmp_path / "run", *more, "--json")) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["metrics"]["samples"] == 4 * (36 + 9 + 4)


def test_plan__prints_and_trains_nothing(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ["train", "--recipe", "recipes/datacomp_vit_b16.toml", "--plan"]
    assert run([*recipe, "--processes", "64"]) == 0
    said = capsys.readouterr().out
    assert "Plan of vit_base_patch16_224, 64 processes" in said
    assert "200,000 of 65,536 samples" in said
    assert "18.7 M of the head for 24,320 classes" in said
    assert "GiB a process" in said
    again = "catlip train --labels DIR --out DIR --recipe recipes/datacomp_vit_b16.toml --dry-run"
    assert said.splitlines()[-1] == f"Next: {again}   (which measures what this estimates)"
    assert run(words(labels, tmp_path / "run", "--plan", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["steps"], found["samples_seen"], found["num_samples"], found["num_classes"]) == (12, 96, 20, 4)
    assert found["num_processes"] == 1
    assert not (tmp_path / "run").exists()


def test_plan__mistakes_in_use(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--out", str(tmp_path)]) == 2
    assert "Missing option '--labels'; only --plan and --print-recipe need none." in capsys.readouterr().err
    assert run(words(labels, tmp_path / "run", "--processes", "3")) == 2
    assert "--processes is for --plan." in capsys.readouterr().err
    assert run(["train", "--plan"]) == 1
    assert "give --labels, or --set plan.steps=N" in capsys.readouterr().err


def test_train__max_bad_fraction_decides_when_broken_pictures_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [Item(key=f"k{n}", labels=[n % 4], image=b"broken" if n % 2 else picture(COLOURS[0])) for n in range(20)]
    broken = write_label_set(tmp_path / "broken", [items])
    assert run(words(broken, tmp_path / "run", "--max-bad-fraction", "0.01")) == 1
    assert "more than data.max_bad_fraction = 0.01 allows" in capsys.readouterr().err
    assert run(words(broken, tmp_path / "run", "--max-bad-fraction", "1")) == 0


def test_train__prints_all_settings_as_a_recipe_that_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "--recipe", "recipes/demo_cpu.toml", "--set", "optim.lr=0.5", "--print-recipe"]
    assert run(asked) == 0
    text = capsys.readouterr().out
    assert "lr = 0.5\n" in text
    (tmp_path / "all.toml").write_text(text)
    assert run(["train", "--recipe", str(tmp_path / "all.toml"), "--print-recipe"]) == 0
    assert capsys.readouterr().out == text
    assert run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["optim"]["lr"] == 0.5
