"""`catlip labels build` into a folder that an earlier build left."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.catlip_cli.label_builds import Labels

WriteTar = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("one_process")


def test_build__second_run_does_nothing(labels: Labels, tars: Path) -> None:
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    before = {path: path.stat().st_mtime_ns for path in labels.out.rglob("*") if path.is_file()}
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert f"{labels.out} is up to date: nothing to do." in labels.stdout
    found = labels.json(tars / "*.tar", "--threshold", 0)
    assert (found["changed"], found["shards_extracted"], found["worker_seconds"]["parse"]) == (False, 0, 0)
    after = {path: path.stat().st_mtime_ns for path in labels.out.rglob("*") if path.is_file()}
    assert {path for path in before if before[path] != after.get(path)} <= {labels.out / ".build.lock"}


def test_build__another_threshold_parses_nothing(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    found = labels.json(tars / "*.tar", "--threshold", 1)
    assert (found["changed"], found["shards_extracted"], found["worker_seconds"]["parse"]) == (True, 0, 0)
    assert found["classes"] == 2
    changed = labels.content()
    shutil.rmtree(labels.out)
    labels(tars / "*.tar", "--threshold", 1)
    assert labels.content() == changed


def test_build__one_more_shard_parses_that_one(labels: Labels, tars: Path) -> None:
    labels(tars / "00000.tar", "--threshold", 0)
    assert labels.json(tars / "*.tar", "--threshold", 0)["shards_extracted"] == 1
    assert labels.json(tars / "00001.tar", "--threshold", 0)["shards_extracted"] == 0
    assert sorted(path.name for path in (labels.out / "shards").iterdir()) == ["00001.parquet"]


def test_build__changed_tar_is_parsed_again(labels: Labels, tars: Path, write_tar: WriteTar) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    write_tar(tars / "00001.tar", [("a.txt", b"a horse")])
    found = labels.json(tars / "*.tar", "--threshold", 0)
    assert found["shards_extracted"] == 1
    assert labels.rows()["a"] == ["horse.n.01"]


@pytest.mark.parametrize("file", ["shards/00000.parquet", "vocabulary.parquet", "labelset.json"])
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_build__mends_a_damaged_label_set(labels: Labels, tars: Path, file: str, how: str) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    if how == "gone":
        (labels.out / file).unlink()
    else:
        (labels.out / file).write_bytes(b"\xffchanged")
    assert labels.json(tars / "*.tar", "--threshold", 0)["shards_extracted"] == 0
    assert labels.content() == before


@pytest.mark.parametrize("file", ["00000.parquet", "settings.json"])
def test_build__damaged_candidates(labels: Labels, tars: Path, file: str) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    (labels.out / "_candidates" / file).write_bytes(b"\xffchanged")
    arguments = ["--rebuild"] if file == "settings.json" else []
    if file == "settings.json":
        assert labels(tars / "*.tar", "--threshold", 1) == 1
        assert re.search(r"settings\.json is damaged .* Use --rebuild", labels.stderr)
    labels(tars / "*.tar", "--threshold", 1, *arguments)
    labels(tars / "*.tar", "--threshold", 0)
    assert labels.content() == before


def test_build__lost_terms_ask_for_a_rebuild(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    (labels.out / "_candidates" / "00000.terms").unlink()
    assert labels(tars / "*.tar", "--threshold", 1) == 0  # which reads no term
    assert labels(tars / "*.tar", "--threshold", 1, "--policy", "first") == 1
    assert "Run the same build with --rebuild." in labels.stderr
    assert labels(tars / "*.tar", "--threshold", 1, "--policy", "first", "--rebuild") == 0


@pytest.mark.parametrize("arguments", [["--caption-key", "alt"], ["--labeler", "pos-nouns"], ["--nouns", "tags"]])
def test_build__changed_setting_is_named(labels: Labels, tars: Path, arguments: list[str]) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    assert labels(tars / "*.tar", "--threshold", 0, *arguments) == 1
    assert f"_candidates was made with {arguments[0]} = " in labels.stderr
    assert labels.content() == before


def test_build__default_nouns_over_those_of_tags_are_refused_too(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0, "--nouns", "tags")
    assert labels(tars / "*.tar", "--threshold", 0) == 1
    assert "_candidates was made with --nouns = tags, and this build has chunks" in labels.stderr


def test_build__candidates_are_dropped_when_asked_for(labels: Labels, tars: Path) -> None:
    assert labels(tars / "*.tar", "--threshold", 0, "--no-keep-candidates") == 0
    assert sorted(path.name for path in labels.out.iterdir() if path.is_dir()) == ["shards"]
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert "nothing to do" in labels.stdout
    assert labels.json(tars / "*.tar", "--threshold", 1)["shards_extracted"] == 2
    labels(tars / "*.tar", "--threshold", 1, "--no-keep-candidates")
    assert "nothing to do" in labels.stdout
    assert not (labels.out / "_candidates").exists()


def test_build__nothing_left_shows_the_thresholds(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    assert labels(tars / "*.tar") == 1
    assert labels.stderr.splitlines() == [
        "Error: No synset occurs in more than 500 samples, so the vocabulary would be empty. Classes by threshold: "
        "2 at 1, 0 at 5, 0 at 10, 0 at 25, 0 at 100, 0 at 500.",
        "Choose a lower one, for example --threshold 1; no caption is parsed again.",
    ]
    assert labels.stdout == ""
    assert labels.content() == before


def test_build__mended_file_is_read_by_the_next_run(labels: Labels, tars: Path) -> None:
    good = (tars / "00001.tar").read_bytes()
    (tars / "00001.tar").write_bytes(b"")
    assert labels.json(tars / "*.tar", "--threshold", 0, code=3)["samples"] == 3
    (tars / "00001.tar").write_bytes(good)
    assert labels.json(tars / "*.tar", "--threshold", 0)["samples"] == 6
