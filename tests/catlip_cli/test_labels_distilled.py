"""`--nouns distilled` on the command line: the table is learnt, kept, resumed and refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from catlip_cli.main import run
from labelgen import language_data
from labelgen.dictionary import wordnet
from labelshards.labelset import LabelSet

pytestmark = pytest.mark.usefixtures("one_process")

THINGS = "dog cat bird horse car boat tree house table chair man woman boy girl ball hat".split()  # noqa: SIM905
PLACES = "beach street table field park kitchen".split()  # noqa: SIM905


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five shards, 480 captions."""
    lines = [f"A {a} and two {b}s on a {c}." for a in THINGS for b in THINGS[:5] for c in PLACES]
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("\n".join(lines[number::5]) + "\n")
    return tmp_path


def build(corpus: Path, out: str, *arguments: object) -> int:
    sources = str(corpus / "{0..4}.txt")
    options = ("--threshold", 3, "--nouns", "distilled", "--json", *arguments)
    return run(["labels", "build", sources, "--out", str(corpus / out), *map(str, options)])


def content(folder: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if not name.startswith(("_candidates", ".build"))}


def test_build__keeps_the_table_and_says_how_good_it_is(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels") == 0
    manifest = LabelSet.open(str(corpus / "labels")).manifest
    assert "distilled.parquet" in manifest.files
    assert float(manifest.provenance.tools["distilled"]["f1"]) > 0.95
    assert manifest.provenance.tools["distilled"]["held_out"] == "48"
    assert manifest.totals.labelled == 480
    assert build(corpus, "labels") == 0
    assert '"changed": false' in capsys.readouterr().out


def test_build__slices_share_one_table(corpus: Path) -> None:
    assert build(corpus, "whole") == 0
    assert build(corpus, "labels", "--slice", "1/2") == 0
    table = (corpus / "labels" / "_candidates" / "distilled.parquet").read_bytes()
    assert build(corpus, "labels", "--slice", "0/2") == 0
    assert run(["labels", "finish", str(corpus / "labels")]) == 0
    assert content(corpus / "labels") == content(corpus / "whole")
    assert content(corpus / "labels")["distilled.parquet"] == table


def test_build__new_shards_are_labelled_with_the_same_table(corpus: Path) -> None:
    last = (corpus / "4.txt").read_text()
    (corpus / "4.txt").write_text("A zebra.\n")
    assert build(corpus, "labels", "--no-keep-candidates") == 0
    (corpus / "4.txt").write_text(last)
    assert build(corpus, "labels") == 0
    assert build(corpus, "fresh") == 0
    ours, fresh = content(corpus / "labels"), content(corpus / "fresh")
    assert ours["distilled.parquet"] != fresh["distilled.parquet"]
    assert build(corpus, "labels", "--rebuild") == 0
    assert content(corpus / "labels") == fresh


def test_build__refuses_a_poor_table(corpus: Path, test_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()[:400]
    for number in range(5):
        (corpus / f"{number}.txt").write_text("\n".join(line.partition("\t")[0] for line in lines[number::5]) + "\n")
    assert build(corpus, "labels", "--distilled-floor", 0.99) == 1
    error = capsys.readouterr().err
    assert "agrees with spaCy's labels by F1 = 0." in error
    assert "below --distilled-floor 0.99." in error
    assert not (corpus / "labels" / "_candidates" / "0.parquet").exists()
    assert build(corpus, "labels", "--distilled-floor", 0.5) == 0


def test_build__refuses_another_sample_without_rebuild(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels") == 0
    assert build(corpus, "labels", "--distilled-captions", 300) == 1
    assert "was learnt with another --distilled-captions" in capsys.readouterr().err
    assert build(corpus, "labels", "--distilled-captions", 300, "--rebuild") == 0


def test_build__looks_at_wordnet_before_it_teaches(corpus: Path, tmp_path: Path) -> None:
    here, cache = language_data.find_wordnet(), tmp_path / "cache"
    (cache / "wordnet-3.0").mkdir(parents=True)
    for name in wordnet.FILES:
        (cache / "wordnet-3.0" / name).write_bytes((here / name).read_bytes()[:5_000])
    words = ["labels", "build", str(corpus / "0.txt"), "--out", str(corpus / "labels"), "--nouns", "distilled"]
    done = subprocess.run(
        [sys.executable, "-m", "catlip_cli.main", *words],
        env=os.environ | {"CATLIP_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "its synsets differ from Princeton's" in done.stderr
    assert "Traceback" not in done.stderr


def test_build__refuses_too_few_captions(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels", "--distilled-captions", 100) == 1
    assert "100 captions are too few to teach a table" in capsys.readouterr().err


def test_build__a_damaged_table_is_told(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels") == 0
    table = corpus / "labels" / "distilled.parquet"
    table.write_bytes(table.read_bytes()[:-9])
    assert run(["labels", "verify", str(corpus / "labels")]) == 1
    (corpus / "labels" / "_candidates" / "distilled.parquet").write_bytes(b"PAR1")
    assert build(corpus, "labels") == 1
    assert "is no table of --nouns distilled" in capsys.readouterr().err


def test_build__goes_with_noun_chunks_alone(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels", "--labeler", "pos-nouns") == 1
    assert "--nouns distilled goes with --labeler noun-chunks" in capsys.readouterr().err


def test_explain__asks_the_table_of_a_label_set(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(corpus, "labels") == 0
    capsys.readouterr()
    command = ["labels", "explain", "A dog on a beach.", "--labeler", "noun-chunks", "--nouns", "distilled"]
    assert run([*command, "--labels", str(corpus / "labels"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["labelers"]
    assert "dog.n.01" in told["labels"]
    assert run(command) == 1
    assert "Name one that was built so with --labels" in capsys.readouterr().err
