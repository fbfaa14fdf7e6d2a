import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from catlip_cli import main
from catlip_cli.main import COMMANDS, cli, run
from tests.catlip_cli.commands import all_commands

OFTEN_FORGOTTEN = ("spacy", "nltk", "torch", "timm", "pyarrow", "numpy", "labelgen", "trainer", "matplotlib")


def catlip(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`catlip` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "catlip_cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("words", [["--help"], ["probe", "--help"]])
def test_help__imports_neither_half(words: list[str]) -> None:
    code = (
        f"import sys; from catlip_cli.main import run; assert run({words}) == 0;"
        f"print([name for name in {OFTEN_FORGOTTEN!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


def test_paths__those_that_are_wrong_are_told_before_torch_is_there(tmp_path: Path) -> None:
    mistyped = [
        ["train", "--labels", "no", "--out", "run"],
        ["train", "--print-recipe", "--recipe", "no.toml"],
        ["train", "--labels", "no", "--dry-run"],
        ["probe", "no/run", "--data", "."],
        ["probe", "test_vit", "--data", "no"],
        ["probe", "compare", "no.json"],
        ["tag", "no/run", "."],
        ["tag", "test_vit", "no.jpg"],
        ["embed", "no/run", ".", "--out", "features.parquet"],
        ["calibrate", "no/run", "--labels", "no", "--out", "thresholds.parquet"],
        ["calibrate", "test_vit", "--labels", "no", "--out", "thresholds.parquet"],
        ["sheet", "no/run", "--labels", "no", "--out", "sheet.png"],
        ["export", "no/run", "--out", "model"],
        ["import-corenet", "no.pt", "--out", "model"],
    ]
    each = f"for words in {mistyped}: print(run(words), 'torch' in sys.modules)"
    code = f"import sys; from catlip_cli.main import run\n{each}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["1 False"] * len(mistyped)
    said = done.stderr.splitlines()
    assert len(said) == len(mistyped)
    assert all(line.startswith("Error: ") and "no" in line for line in said)
    assert list(tmp_path.iterdir()) == []


def test_help__lists_all_commands() -> None:
    done = catlip("--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("name", all_commands())
def test_help__every_command_has_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--help"]) == 0
    assert f"Usage: catlip {name} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["lables", "build"], "No such command 'lables'. Did you mean 'labels'?"),
        (["labels", "nothing"], "No such command 'nothing'"),
        (["labels", "build"], "Missing argument 'SOURCE...'"),
        (["labels", "build", "x.tar"], "Missing option '--out'"),
        (["labels", "build", "x.tar", "--out", "y", "--threshold", "-1"], "-1 is not in the range x>=0"),
        (["labels", "build", "x.tar", "--out", "y", "--workers", "0"], "0 is not in the range x>=1"),
        (["labels", "build", "x.tar", "--out", "y", "--nothing"], "No such option"),
        (["labels", "build", "x.tar", "--out", "y", "--vocabulary", "z", "--threshold", "9"], "not with --vocabulary"),
        (["labels", "build", "x.tar", "--out", "y", "--distilled-floor", "0.5"], "goes with --nouns distilled"),
        (["labels", "build", "x.tar", "--out", "y", "--hypernym-depth", "3"], "goes with --families hypernyms"),
        (["labels", "verify", "x", "--moved", "a=b"], "--moved goes with --deep"),
        (["tag", "x", "y", "--credit", "me"], "--credit goes with --sheet or --gallery"),
        (["probe", "compare", "x", "--metric", "mAP"], "--metric goes with --plot"),
        (["probe", "compare", "x", "--format", "csv", "--json"], "--format goes with tables, not with --json"),
        (["vocab", "inspect"], "Missing argument 'DIR...'"),
        (["vocab", "inspect", "x", "--limit", "many"], "'many' is not a valid integer"),
    ],
)
def test_run__usage_errors(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_run__version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("catlip, version ")


def test_run__error_is_one_line_and_a_traceback_only_with_debug(tmp_path: Path) -> None:
    plain = catlip("vocab", "inspect", str(tmp_path))
    debug = catlip("--debug", "vocab", "inspect", str(tmp_path))
    assert plain.returncode == debug.returncode == 1
    assert plain.stdout == ""
    assert len(plain.stderr.splitlines()) == 1
    assert plain.stderr.startswith(
        f"Error: {tmp_path} is not a finished label set: it has no labelset.json. If a build of it"
    )
    assert debug.stderr.startswith(plain.stderr)
    assert "Traceback (most recent call last)" in debug.stderr
    assert "LabelSetError" in debug.stderr


def test_run__what_the_system_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labelset.json").mkdir()
    assert run(["vocab", "inspect", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said == f"Error: {tmp_path}/labelset.json: Is a directory\n"
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("module", "extra"), [("spacy", "labels"), ("ftfy", "labels"), ("torch", "train")])
def test_run__missing_half_names_its_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise ModuleNotFoundError(f"No module named '{module}.sub'", name=f"{module}.sub")

    monkeypatch.setattr(cli, "main", fail)
    assert run(["anything"]) == 1
    said = capsys.readouterr().err
    assert f"needs {module}.sub. Install it with: pip install 'catlip[{extra}]'" in said


def test_run__module_of_our_own_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ModuleNotFoundError("No module named 'labelgen.gone'", name="labelgen.gone")

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(ModuleNotFoundError):
        run(["anything"])


def test_get_command__unknown_is_none() -> None:
    assert cli.get_command(click.Context(cli), "nothing") is None
    assert main.cli.list_commands(click.Context(cli)) == list(COMMANDS)


def test_main__sigterm_is_one_line_in_every_command(tmp_path: Path) -> None:
    """Here in one that has no words of its own for it."""
    code = (
        "import os, signal, sys, catlip_cli.main as m\n"
        "import labelshards.verify as v\n"
        "v.verify = lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.argv = ['catlip', 'labels', 'verify', sys.argv[1]]\n"
        "m.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (143, "Terminated. Run the same command again to go on.")


def test_main__ctrl_c_after_the_end_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes itself apart then, which an interrupt would tell with a traceback."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(main, "run", lambda _: 3)
    try:
        with pytest.raises(SystemExit, match="3"):
            main.main()
        assert {signal.getsignal(number) for number in before} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
