import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catlip_cli.main import run
from labelgen.audit import classes as audit
from labelshards.labelset import LabelSet

CAPTIONS = [
    "a dog and a cat",
    "two dogs on a sofa",
    "a polar bear on the ice",
    "a teddy bear on a couch",
    "it rains",
]


@pytest.fixture
def folder(
    tmp_path: Path, one_process: None, write_tar: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> str:
    tar = write_tar(tmp_path / "x.tar", [(f"{row}.txt", text.encode()) for row, text in enumerate(CAPTIONS)])
    assert run(["labels", "build", str(tar), "--out", str(tmp_path / "labels"), "--threshold", "0"]) == 0
    capsys.readouterr()
    return str(tmp_path / "labels")


def test_inspect__table(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vocab", "inspect", folder]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == ["rank", "synset", "wnid", "family", "lemmas", "support", "gloss"]
    assert lines[1].split()[:3] == ["1", "dog.n.01", "n02084071"]
    assert "dog, domestic dog, Canis familiaris" in lines[1]
    assert f"Vocabulary of {folder}" in said.out
    assert "  samples            5, 80.0 % with labels" in said.out
    assert "  by threshold       6 at 0  2 at 1  0 at 5" in said.out
    assert lines[-1] == f"Next: catlip train --labels {folder} --out RUN"
    assert said.err == ""


def test_inspect__json_is_one_object(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vocab", "inspect", folder, "--json", "--limit", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["matching"] == found["totals"]["classes"] == 6
    assert [row["synset"] for row in found["classes"]] == ["dog.n.01", "sofa.n.01"]
    assert found["classes"][0]["share"] == 0.4
    assert found["labels_per_sample"] == {"0": 1, "2": 4}
    assert found["classes_by_threshold"]["1"] == 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("bear", ["ice_bear.n.01", "teddy.n.01"]),
        ("BEAR", ["ice_bear.n.01", "teddy.n.01"]),
        ("couch", ["sofa.n.01"]),
        ("ice_bear", ["ice_bear.n.01"]),
        ("n02084071", ["dog.n.01"]),
        ("dog.n.01", ["dog.n.01"]),
        ("zebra", []),
    ],
)
def test_inspect__search(folder: str, word: str, expected: list[str]) -> None:
    assert [row.synset for row in audit.classes(LabelSet.open(folder), word)] == expected


def test_inspect__nothing_found_says_so(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vocab", "inspect", folder, "zebra"]) == 0
    assert capsys.readouterr().out.startswith(f"No class of {folder} has 'zebra' in its names.")


def test_inspect__limit(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vocab", "inspect", folder, "--limit", "1"]) == 0
    assert "… 5 more; --limit 0 shows all." in capsys.readouterr().out
    assert run(["vocab", "inspect", folder, "--limit", "0"]) == 0
    assert " more; " not in capsys.readouterr().out


def test_inspect__vocabulary_of_another_corpus_has_no_shares(folder: str, tmp_path: Path) -> None:
    out = str(tmp_path / "other")
    assert run(["labels", "build", str(tmp_path / "x.tar"), "--out", out, "--vocabulary", folder]) == 0
    assert {row.share for row in audit.classes(LabelSet.open(out))} == {None}
    assert audit.classes_at(LabelSet.open(out).vocabulary, None)[0] == 6


@pytest.mark.slow
def test_inspect__reader_that_goes_away(folder: str) -> None:
    """As in `catlip vocab inspect … | head -1`, with more output than a pipe holds.

    Often, because threads that still read when Python ends abort the process now and then (one in five, once).
    """
    code = (
        "from catlip_cli import terminal, main; import sys;"
        "terminal.print_next('x' * 1_000_000);"
        "sys.exit(main.run(sys.argv[1:]))"
    )
    endings = set()
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", code, "vocab", "inspect", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            endings.add((process.stderr.read(), process.wait(timeout=30)))
    assert endings == {(b"", 1)}
