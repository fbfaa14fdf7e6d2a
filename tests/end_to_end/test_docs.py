"""Every code block of the documentation runs: commands at a smaller size, Python as it stands."""

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from catlip_cli import main
from tests.forked import Forked
from trainer.config import load, refuse_unknown

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
# Pages whose commands run in one folder, in this order; each finds what those before it made.
WALKED = (
    "README.md",
    "docs/at-scale.md",
    "docs/vocabulary.md",
    "docs/training.md",
    "docs/probes.md",
    "docs/export.md",
    "docs/tagging.md",
)
# Pages whose commands other tests run: small files of every format, and targets of make.
RUN_ELSEWHERE = ("docs/sources.md", "CONTRIBUTING.md")
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
    for block in blocks("docs/vocabulary.md", "tsv"):  # the files that its commands read, named in their first lines
        (folder / re.findall(r"# (\S+):", block)[0]).write_text(block)
    for page in WALKED:
        for block in blocks(page, "bash"):
            for words in commands(block):
                if words[0] != "make":
                    run(words, folder)
    return folder


@pytest.fixture(scope="module")
def sources_folder(tmp_path_factory: pytest.TempPathFactory, write_tar: Callable[..., Path]) -> Path:
    """A folder with the small files that docs/sources.md names."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("cc3m", "photos", "val2017"):
        (folder / name).mkdir()
    rows = [{"key": f"{number:09d}", "caption": f"A dog and {number} cats.", "title": "a bird"} for number in range(20)]
    tables = [pa.Table.from_pylist(rows[:10]), pa.Table.from_pylist(rows[10:])]
    for number, table in enumerate(tables):
        pq.write_table(table, folder / "cc3m" / f"{number:05d}.parquet")
        members = [
            (f"{row['key']}.{suffix}", content.encode())
            for row in table.to_pylist()
            for suffix, content in (("jpg", "x"), ("json", json.dumps({"caption": row["caption"], "alt": "a fish"})))
        ]
        write_tar(folder / "cc3m" / f"{number:05d}.tar", members)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "cc3m" / "00000.tar", "00000.tar")
    pq.write_table(tables[0].rename_columns(["SAMPLE_ID", "TEXT", "title"]), folder / "laion.parquet")
    cells = "".join(f"{row['key']},{row['caption']},{row['title']},photos/1.jpg\n" for row in rows)
    (folder / "table.csv").write_text("id,alt,title,path\n" + cells)
    (folder / "cc3m.tsv").write_text("".join(f"{row['caption']}\thttp://u\n" for row in rows))
    (folder / "captions.txt").write_text("".join(f"{row['caption']}\n" for row in rows))
    with gzip.open(folder / "captions.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for where, name in (("photos", "1.jpg"), ("photos", "1.txt"), ("val2017", "1.jpg")):
        (folder / where / name).write_text("A dog.")
    coco = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "A dog."}]}
    (folder / "captions_val2017.json").write_text(json.dumps(coco))
    return folder


_SOURCE_LINES = [line for block in blocks("docs/sources.md", "bash") for line in block.splitlines()]
AS_JSON = ("--threshold", "0", "--json")  # on few captions every synset must count


@pytest.mark.parametrize("line", [line for line in _SOURCE_LINES if "|" not in line])
@pytest.mark.usefixtures("one_process")
def test_source_commands__run(
    line: str, sources_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(sources_folder)
    command, *arguments = shlex.split(line)
    assert command == "catlip"
    assert main.run([*arguments, *AS_JSON]) == 0, capsys.readouterr().err
    all_are_labelled(capsys.readouterr().out)


@pytest.mark.parametrize("line", [line for line in _SOURCE_LINES if "|" in line])
def test_source_commands__run_in_a_pipe(line: str, sources_folder: Path) -> None:
    """As the shell runs it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{line} {shlex.join(AS_JSON)}"],
        cwd=sources_folder, capture_output=True, text=True, check=False, timeout=120, env=os.environ | {"PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    all_are_labelled(done.stdout)


def all_are_labelled(said: str) -> None:
    found = json.loads(said)
    assert found["labelled"] == found["samples"] > 0
    assert not found["problems"]


def run(words: list[str], folder: Path) -> None:
    command, verb, *_ = words
    assert command == "catlip"
    finish(Forked(["-m", "catlip_cli.main", *words[1:], *SMALLER.get(verb, [])], cwd=folder), shlex.join(words))


def finish(process: Forked, name: str) -> None:
    out, errors = process.communicate()
    assert process.returncode == 0, f"{name}\n{out}\n{errors}"
    assert "Traceback" not in errors


def test_readme_commands__run_in_their_order(demo_folder: Path) -> None:
    assert (demo_folder / "demo/run/run.json").is_file()
    assert (demo_folder / "demo/sheet.png").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_blocks__are_run_or_their_commands_are_real(page: str) -> None:
    """Where data or hours are missing that a command needs, it stands among text, and its words are checked."""
    if blocks(page, "bash"):
        assert page in (*WALKED, *RUN_ELSEWHERE)
    for block in [*blocks(page, "text"), *blocks(page, "console")]:
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ |Next: )?(?:torchrun .*)?catlip (.*)", line):
                parse(shlex.split(found[1], comments=True))


def parse(words: list[str]) -> None:
    """Fail if `catlip WORDS` has options, values or settings that there are not, or names a recipe that is missing."""
    command: click.Command = main.cli
    context = click.Context(command, **command.context_settings)
    while isinstance(command, click.Group) and (deeper := command.get_command(context, words[0])):
        command, words = deeper, words[1:]
    given = command.make_context(command.name, list(words), parent=context).params
    if command.name == "train":
        refuse_unknown([each.partition("=")[0] for each in given["overrides"]], "--set")
        assert given["recipe"] is None or (ROOT / given["recipe"]).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks__run(page: str, demo_folder: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "python")):
        script = tmp_path / f"{number}.py"
        script.write_text(block)
        finish(Forked([str(script)], cwd=demo_folder), block)


@pytest.mark.parametrize("block", blocks("docs/training.md", "toml"))
def test_toml_blocks__are_recipes(block: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(block)
    config = load(tmp_path / "recipe.toml")
    config.loss.check()
    config.plan.check(2, 1, config.model.image_size)


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.sh")), ids=lambda script: script.name)
def test_example_scripts__are_bash_and_name_real_options(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    refuse_unknown_options(script.read_text(), capsys)


def test_example_jobs__are_yaml_and_name_real_options(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "examples" / "kubernetes.yaml").read_text()
    jobs = list(yaml.safe_load_all(text))
    assert [job["kind"] for job in jobs] == ["Job", "Job"]
    assert jobs[0]["spec"]["completions"] == jobs[0]["spec"]["parallelism"] == 200
    refuse_unknown_options(text, capsys)


def refuse_unknown_options(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Options of `catlip labels …` and `catlip train` in a script must be options of the command, settings settings."""
    found = re.findall(r"catlip (labels \w+|train)(.*(?:\\\n.*|\n +--.*)*)", text)
    assert found
    for command, rest in found:
        assert main.run([*command.split(), "--help"]) == 0
        refuse_unknown(re.findall(r"--set ([a-z._]+)=", rest), "--set")
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known


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
