"""docs/architecture.md names every module, in the part of its package, and no page names what is gone."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("catlip_cli", "labelgen", "labelshards", "trainer")
# The changelog tells of what was.
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")} - {ROOT / "CHANGELOG.md"})
FOLDERS = (*PACKAGES, "samplegen", "tests", "tools", "benchmarks", "recipes", "examples", "docs")
# A file or folder of this tree, as a page writes it, with or without its ending.
NAMED = rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`"


@cache
def rooms() -> dict[str, str]:
    """Package → what the drawing of the rooms says of it."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [drawing] = re.findall(r"```text\n(catlip_cli/ .*?)```", page, flags=re.DOTALL)
    parts = re.split(r"^(\w+)/ ", drawing, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms__every_module_stands_in_them(package: str) -> None:
    named = set(re.findall(r"\w+", rooms()[package]))
    modules = {
        name
        for path in (ROOT / package).rglob("*.py")
        for name in (path.relative_to(ROOT / package).with_suffix("").parts)
        if name != "__init__"
    }
    assert modules - named == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms__folders_that_are_drawn_are_there(package: str) -> None:
    folders = {path.name for path in (ROOT / package).rglob("*") if path.is_dir()}
    assert set(re.findall(r"(\w+)/(?=\s|$)", rooms()[package])) - folders == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__files_that_are_named_are_there(page: Path) -> None:
    named = set(re.findall(NAMED, page.read_text(encoding="utf-8")))
    assert {name for name in named if not list(ROOT.glob(f"{name.rstrip('/.')}*"))} == set()
