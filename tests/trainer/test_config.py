from pathlib import Path
from typing import Any

import pytest

from labelshards.errors import CatlipError
from trainer.config import Config, differences, identity, load
from trainer.settings import flatten
from trainer.stream.steps import Steps


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text('seed = 3\n[optim]\nlr = 2e-3\n[model]\nkwargs = { depth = 2 }\n[loop]\nprecision = "fp32"\n')
    return path


def test_load__recipe_over_defaults_and_overrides_over_both(recipe: Path) -> None:
    config = load(recipe, ["optim.lr=5e-4", "model.kwargs.embed_dim=32", "plan.unlabelled=drop", "optim.min_lr=0"])
    assert (config.seed, config.optim.lr, config.optim.min_lr) == (3, 5e-4, 0.0)
    assert config.model.kwargs == {"depth": 2, "embed_dim": 32}
    assert config.plan.unlabelled == "drop"
    assert config.optim.weight_decay == Config().optim.weight_decay


def test_load__nothing_gives_the_defaults() -> None:
    assert load(None) == Config()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", r"--set: unknown key optim.lrr; did you mean optim.lr\?"),
        ("lr=1", r"unknown key lr; did you mean optim.lr\?"),
        ("optim=1", r"^--set: optim is a table. Name one of its settings, as optim.lr\.$"),
        ("optim={lr=1.0}", r"^--set: optim is a table"),
        ("model.size=1", "did you mean model.image_size"),
        ("loss.weight=1", "did you mean loss.class_weights or augment.weight"),
        ("plan.num_steps=1", "did you mean plan.steps"),
        ("loss.gamma=1", "did you mean loss.gamma_positive or loss.gamma_negative"),
        ("plan.max_size=1", "did you mean plan.batch_size or plan.multi_scale.max_size"),
        ("plan.phases=[{image_size=96}]", r"plan.phases\[0\]: object missing required field `until`"),
        ("nothing=1", r"unknown key nothing. `catlip train --print-recipe` shows all settings"),
        ("optim.lr=fast", r"^optim.lr: this should be a number > 0\.$"),
        ("optim.lr=-1", r"optim.lr: this should be a number > 0"),
        ("plan.unlabelled=maybe", r'plan.unlabelled: this should be "drop" or "keep"'),
        ("plan.batch_size=0", r"plan.batch_size: this should be a whole number >= 1"),
        ("optim.betas=[0.9]", r"optim.betas: this should be a list of 2"),
        (
            "data.num_workers=many",
            r'data.num_workers: this should be (a whole number .*|"auto") or (a whole number.*|"auto")',
        ),
        ("plan.phases=[{until=0.5,imagesize=50}]", r"plan.phases\[0\]: object contains unknown field `imagesize`"),
        ("plan.phases=[{until=0.5,image_size=true}]", r"plan.phases\[0\].image_size: this should be a whole number"),
        ("seed", r"--set seed: write it as key=value"),
    ],
)
def test_load__a_wrong_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        load(None, [override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optimm]\nlr = 1.0\n", r"recipe.toml: unknown key optimm.lr; did you mean optim.lr\?"),
        ("[optim\n", r"recipe.toml is not valid TOML"),
        ("optim = 3\n", r"^optim: this should be a table"),
    ],
)
def test_load__a_wrong_recipe_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(CatlipError, match=message):
        load(path)


def test_load__a_missing_recipe_is_named() -> None:
    with pytest.raises(CatlipError, match=r"no recipe nowhere\.toml"):
        load(Path("nowhere.toml"))


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_load__every_recipe_is_valid(path: Path) -> None:
    config = load(path)
    assert config != Config()
    config.plan.check(1, 1, config.model.image_size)
    config.loss.check()
    steps = Steps(config.plan, image_size=config.model.image_size, num_samples=3_000_000, seed=0)
    assert config.optim.warmup(steps.num_steps) > 0


def test_differences__are_what_decides_weights_and_nothing_else(recipe: Path) -> None:
    def found(*overrides: str) -> list[tuple[str, Any, Any]]:
        return differences(load(recipe), load(recipe, overrides))

    assert found() == []
    assert found("data.num_workers=3", "loop.log_every=7") == []
    assert found("loop.log_every=7", "seed=4", "optim.lr=1.0") == [("seed", 3, 4), ("optim.lr", 2e-3, 1.0)]
    assert found("model.kwargs.depth=3") == [("model.kwargs.depth", 2, 3)]
    assert found("model.kwargs.patch_size=8") == [("model.kwargs.patch_size", None, 8)]


def test_flatten__keeps_empty_tables() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}


def test_identity__leaves_out_what_decides_no_weight() -> None:
    assert identity(load(None, ["loop.log_every=3"])) == identity(Config()) != identity(load(None, ["text.width=8"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[optim]\nlr = nan\n", "optim.lr: nan is no number"),
        ("[optim]\nlr = 1e999\n", "optim.lr: inf is no number"),
        ("[model]\nmean = [0.5, -inf, 0.5]\n", r"model.mean\[1\]: -inf is no number"),
        ("[model]\nkwargs = {a = [{b = nan}]}\n", r"model.kwargs.a\[0\].b: nan is no number"),
        ("[model]\nstd = [0.5, 0.0, 0.5]\n", r"model.std\[\.\.\.\]|model.std"),
        ("[optim]\nbetas = [1.5, 0.9]\n", "optim.betas"),
        ("seed = 9223372036854775808\n", "seed: whole numbers have 64 bits at most"),
        (f"seed = {'9' * 5_000}\n", "is not valid TOML: Exceeds the limit"),
        (f"seed = {'[' * 3_000}\n", "is not valid TOML: "),
        ("plan = 3\n", "plan.steps cannot be set: plan is 3, no table"),
        ("[model]\nkwargs = 3\n", "model.kwargs.depth cannot be set: kwargs is 3, no table"),
    ],
)
def test_load__what_no_run_could_compute_with_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(CatlipError, match=expected) as refused:
        load(tmp_path / "recipe.toml", ["plan.steps=3", "model.kwargs.depth=2"])
    assert "\n" not in str(refused.value)


def test_load__of_an_override_that_goes_too_deep_is_one_line() -> None:
    for value in ("[" * 3_000, "9" * 5_000):
        with pytest.raises(CatlipError, match=r"plan.steps: this should be a whole number"):
            load(None, [f"plan.steps={value}"])
