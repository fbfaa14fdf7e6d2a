"""Every code block of the documentation runs: commands at a smaller size, Python as it stands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/label-set-format.md")
# The same commands on less data, so that a test can run them; a setting already there is not repeated.
SMALLER = {
    "sample": ["--scenes", "1500", "--heldout", "30"],
    "train": ["--set", "plan.steps=3", "--set", "plan.batch_size=8"],
}

pytestmark = pytest.mark.slow


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[list[str]]:
    """The command lines of a block, comments cut off, continued lines joined."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's first commands have run, with the project's recipes beside them."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    for block in blocks("README.md", "bash"):
        for words in commands(block):
            if words[0] in ("catlip", "torchrun"):
                run(words, folder)
    return folder


def run(words: list[str], folder: Path) -> None:
    position = words.index("catlip")
    verb = words[position + 1]
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:], *SMALLER.get(verb, [])]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=280, env=os.environ | {"PATH": path}
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def test_readme_commands__run_in_their_order(demo_folder: Path) -> None:
    assert (demo_folder / "demo/run/run.json").is_file()
    assert (demo_folder / "demo/sheet.png").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks__run(page: str, demo_folder: Path) -> None:
    for block in blocks(page, "python"):
        subprocess.run([sys.executable, "-W", "ignore", "-c", block], cwd=demo_folder, check=True, timeout=120)


@pytest.mark.parametrize("page", PAGES)
def test_make_targets__exist(page: str) -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for block in blocks(page, "bash"):
        for words in commands(block):
            if words[0] == "make":
                for target in words[1:]:
                    assert f"make {target} " in listed, f"{page} names a target that does not exist: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_links__lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}, which is not there"
