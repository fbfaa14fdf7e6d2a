"""`catlip vocab inspect --html`."""

import json
from pathlib import Path

import pytest

from catlip_cli.main import run
from tests import labelset_factory


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(labelset_factory.write_label_set(tmp_path / "mine", labelset_factory.coloured(2, 6)))


def test_html__says_what_it_wrote(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "report.html"
    assert run(["vocab", "inspect", folder, "--html", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[:4] == [
        f"Wrote {file}",
        "  label sets  mine/labels",
        "  classes     4, 4 of them with a flag",
        "  pictures    12",
    ]
    assert said.out.splitlines()[-1] == f"Next: python -m webbrowser {file}"
    assert said.err == ""
    assert file.read_bytes().startswith(b"<!doctype html>")


def test_html__of_several_as_json(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = str(labelset_factory.write_label_set(tmp_path / "b", labelset_factory.coloured(1, 2), prefix="other"))
    file = tmp_path / "report.html"
    assert run(["vocab", "inspect", folder, other, "--html", str(file), "--thumbnails", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "out": str(file), "bytes": file.stat().st_size, "classes": 8, "flagged": 8, "pictures": 0, "notes": {},
    }  # fmt: skip


def test_html__pictures_that_are_gone(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine" / "tars").rename(tmp_path / "elsewhere")
    command = ["vocab", "inspect", folder, "--html", str(tmp_path / "r.html")]
    assert run(command) == 0
    said = capsys.readouterr()
    assert "Note: mine/labels: Pictures are missing:" in said.err
    assert "--moved OLD=NEW" in said.err
    assert "pictures    0" in said.out
    assert run([*command, "--moved", f"{tmp_path / 'mine' / 'tars'}={tmp_path / 'elsewhere'}"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--html", "r.html", "--under", "dog.n.01"], "--html shows every class"),
        (["--html", "r.html", "--csv", "-"], "--html shows every class"),
        (["--html", "r.html", "--thumbnails", "-1"], "-1 is not in the range"),
        (["--html", "r.html", "--moved", "here"], "'here' is not OLD=NEW"),
        (["--thumbnails", "3"], "--thumbnails and --moved go with --html"),
        (["--moved", "a=b"], "--thumbnails and --moved go with --html"),
    ],
)
def test_html__wrong_options(folder: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vocab", "inspect", folder, *options]) == 2
    assert message in capsys.readouterr().err


def test_html__what_cannot_be_done(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder in the file's place, the same label set twice, no label set; each in one line."""
    for arguments, message in (
        ([folder, "--html", str(tmp_path)], f"{tmp_path} cannot be written"),
        ([folder, folder, "--html", str(tmp_path / "r.html")], "given twice"),
        ([folder, str(tmp_path), "--html", str(tmp_path / "r.html")], "is not a finished label set"),
    ):
        assert run(["vocab", "inspect", *arguments]) == 1
        said = capsys.readouterr()
        assert message in said.err
        assert said.out == ""
    assert not (tmp_path / "r.html").exists()
