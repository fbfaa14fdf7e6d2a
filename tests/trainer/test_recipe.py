import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import FREE_KEYS, Config, load
from trainer.recipe import as_recipe
from trainer.settings import flatten
from trainer.stream.steps import Phase

_RECIPES = sorted(Path("recipes").glob("*.toml"))


@pytest.mark.parametrize("recipe", [None, *_RECIPES], ids=str)
def test_as_recipe__reads_back_as_what_it_was(recipe: Path | None, tmp_path: Path) -> None:
    config = load(recipe, ["plan.weights=[1, 2.5]", 'data.cache=/a "b"\\c'])
    (tmp_path / "all.toml").write_text(as_recipe(config), encoding="utf-8")
    assert load(tmp_path / "all.toml") == config


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    ),
    st.lists(st.floats(0.01, 1), max_size=3),
)
def test_as_recipe__holds_any_text_and_any_list(kwargs: dict[str, str], ends: list[float]) -> None:
    config = Config()
    config = msgspec.structs.replace(
        config,
        model=msgspec.structs.replace(config.model, kwargs=kwargs),
        plan=msgspec.structs.replace(config.plan, phases=[Phase(until=end, image_size=96) for end in ends]),
    )
    assert msgspec.convert(tomllib.loads(as_recipe(config)), Config) == config


def test_as_recipe__has_every_key_once_and_marks_those_that_may_change() -> None:
    lines = as_recipe(Config()).splitlines()
    table, marked, all_keys = "", set(), []
    for line in lines:
        if heading := re.fullmatch(r"\[(.+)\]", line):
            table = f"{heading[1]}."
        elif setting := re.fullmatch(r"(?:# )?(\w+) =(.*)", line):
            all_keys.append(f"{table}{setting[1]}")
            marked |= {all_keys[-1]} if line.endswith("  # *") else set()
    assert sorted(all_keys) == sorted(flatten(msgspec.to_builtins(Config())))
    assert marked == FREE_KEYS


def test_as_recipe__tells_what_each_table_is() -> None:
    lines = as_recipe(Config()).splitlines()
    headings = [at for at, line in enumerate(lines) if line.startswith("[")]
    assert len(headings) == 12
    for at in headings:
        first = next(n for n in range(at, -1, -1) if not lines[n]) + 1
        assert lines[first].startswith("# ")
        assert lines[first][2].isupper()
    assert max(map(len, lines)) <= 118
