"""Job arrays: slices parse side by side into one folder, and `labels finish` makes of it what one build would make."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catlip_cli import labels
from catlip_cli.main import run
from labelgen import engines
from labelgen.folder import locks
from labelshards.labelset import LabelSet
from tests.catlip_cli.label_builds import content_of

pytestmark = pytest.mark.usefixtures("one_process")

NUM_TARS = 5


class Folder:
    """A folder for label sets, and what the last command said."""

    def __init__(self, out: Path, sources: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.out = out
        self._sources = sources
        self._capsys = capsys
        self.stdout = self.stderr = ""

    def build(self, *arguments: object) -> int:
        return self.run("build", self._sources, "--out", self.out, "--threshold", 0, *arguments)

    def finish(self, *arguments: object) -> int:
        return self.run("finish", self.out, *arguments)

    def run(self, *arguments: object) -> int:
        code = run(["labels", *map(str, arguments)])
        self.stdout, self.stderr = self._capsys.readouterr()
        assert "Traceback" not in self.stderr
        return code

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    def content(self) -> dict[str, bytes]:
        return content_of(self.out)


@pytest.fixture
def tars(tmp_path: Path, write_tar: Callable[..., Path]) -> Path:
    for number in range(NUM_TARS):
        write_tar(tmp_path / f"{number}.tar", [("a.jpg", b"x"), ("a.txt", b"A dog and %d cats." % (number + 2))])
    return tmp_path


@pytest.fixture
def folder(tars: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tars / "labels", f"{tars}/{{0..{NUM_TARS - 1}}}.tar", capsys)


@pytest.fixture
def whole(tars: Path, folder: Folder, capsys: pytest.CaptureFixture[str]) -> dict[str, bytes]:
    """The label set of one undisturbed build."""
    other = Folder(tars / "whole", folder._sources, capsys)
    assert other.build() == 0
    return other.content()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_finish__makes_what_one_build_makes(folder: Folder, whole: dict[str, bytes], order: tuple[int, ...]) -> None:
    for number in order:
        assert folder.build("--slice", f"{number}/3", "--json") == 0
        assert folder.json()["shards"] == folder.json()["shards_extracted"] == (2 if number < 2 else 1)
        assert not (folder.out / "labelset.json").exists()
    assert folder.finish() == 0
    assert folder.content() == whole
    assert folder.finish() == 0
    assert "nothing to do" in folder.stdout


def test_build__without_slice_finishes_too(folder: Folder, whole: dict[str, bytes]) -> None:
    folder.build("--slice", "1/2")
    assert "Slice 1/2 of" in folder.stdout
    assert f"Next: catlip labels finish {folder.out}" in folder.stdout
    assert folder.build("--json") == 0
    assert folder.json()["shards_extracted"] == 3
    assert folder.content() == whole


def test_slice__second_run_has_nothing_to_do(folder: Folder) -> None:
    folder.build("--slice", "0/2")
    assert folder.build("--slice", "0/2", "--json") == 0
    assert (folder.json()["shards_done_before"], folder.json()["shards_extracted"]) == (3, 0)
    assert folder.build("--slice", "0/2", "--rebuild", "--json") == 0
    assert (folder.json()["shards_done_before"], folder.json()["shards_extracted"]) == (0, 3)


def test_finish__lists_what_is_missing(folder: Folder) -> None:
    folder.build("--slice", "1/3")
    (folder.out / "_candidates" / "1.parquet").unlink()
    assert folder.finish() == 1
    assert folder.stderr.splitlines() == [
        "Error: 4 of 5 shards are not extracted yet.",
        "  --slice 0/3: 2 of 2",
        "  --slice 1/3: 1 of 2",
        "  --slice 2/3: 1 of 1",
        "Run these slices again, or the same build without --slice.",
    ]
    assert not (folder.out / "labelset.json").exists()


def test_finish__where_nothing_was_begun(folder: Folder) -> None:
    assert folder.finish() == 1
    assert "No build was begun here" in folder.stderr
    assert not folder.out.exists()


def test_finish__list_of_senses_that_changed_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "senses").write_text("dog\tdog.n.01\n")
    assert folder.build("--slice", "0/1", "--senses", tmp_path / "senses") == 0
    (tmp_path / "senses").write_text("dog\tfrump.n.01\n")
    assert folder.finish() == 1
    assert "senses changed after the build began." in folder.stderr
    (tmp_path / "senses").write_text("dog\tdog.n.01\n")
    assert folder.finish() == 0


def test_finish__input_that_changed_is_missing_again(
    folder: Folder, tars: Path, write_tar: Callable[..., Path]
) -> None:
    folder.build("--slice", "0/2")
    write_tar(tars / "0.tar", [("a.jpg", b"x"), ("a.txt", b"A horse.")])
    folder.build("--slice", "1/2")  # sees the new file, and plans it
    assert folder.finish() == 1
    assert "--slice 0/2: 1 of 3" in folder.stderr
    folder.build("--slice", "0/2")
    assert folder.finish() == 0
    assert "horse.n.01" in LabelSet.open(str(folder.out)).vocabulary.synsets


def test_finish__failed_shards_are_listed(folder: Folder, tars: Path) -> None:
    (tars / "3.tar").write_bytes(b"")
    (tars / "1.tar").unlink()
    assert folder.build("--slice", "0/2") == 0
    assert folder.build("--slice", "1/2") == 3
    assert "1.tar cannot be read: No such file" in folder.stderr
    assert folder.finish("--json") == 3
    assert [Path(failure["source"]).name for failure in folder.json()["failed"]] == ["1.tar", "3.tar"]


def test_retry_failed__takes_only_those(folder: Folder, tars: Path, whole: dict[str, bytes]) -> None:
    good = (tars / "3.tar").read_bytes()
    (tars / "3.tar").write_bytes(b"")
    assert folder.build("--json") == 3
    assert folder.json()["shards_extracted"] == NUM_TARS - 1
    assert folder.build("--retry-failed", "--json") == 3
    assert folder.json()["shards_extracted"] == 0
    (tars / "3.tar").write_bytes(good)
    (tars / "0.tar").unlink()  # nobody looks at it again
    assert folder.build("--retry-failed", "--json") == 0
    assert (folder.json()["shards_extracted"], folder.json()["failed"]) == (1, [])
    same = {name for name in whole if name != "labelset.json"}  # tells the file's new time apart
    assert {name: folder.content()[name] for name in same} == {name: whole[name] for name in same}
    assert not list((folder.out / "_candidates").glob("*.failed"))


def test_retry_failed__goes_on_with_the_same_sources_only(folder: Folder, tars: Path) -> None:
    assert folder.build("--retry-failed") == 1
    assert "No build was begun here" in folder.stderr
    folder.build()
    assert folder.run("build", tars / "0.tar", "--out", folder.out, "--threshold", 0, "--retry-failed") == 1
    assert "Name the same sources, or leave out --retry-failed." in folder.stderr


def test_retry_failed__file_that_could_not_be_counted_becomes_several_shards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelgen.sources.text.ROWS_PER_SHARD", 2)
    for name in ("a", "b"):
        (tmp_path / f"{name}.tsv").write_text("a dog\tu\n" * 3)
    (tmp_path / "a.tsv").write_bytes("a dog\tu\n".encode("utf-16"))
    folder = Folder(tmp_path / "labels", f"{tmp_path}/*.tsv", capsys)
    assert folder.build() == 3
    (tmp_path / "a.tsv").write_text("a dog\tu\n" * 3)
    assert folder.build("--retry-failed", "--json") == 0
    assert (folder.json()["shards"], folder.json()["shards_extracted"]) == (4, 2)


@pytest.mark.parametrize(("fraction", "code"), [(0.2, 1), (0.4, 3), (0.0, 1), (1.0, 3)])
def test_max_bad_fraction__of_the_shards(folder: Folder, tars: Path, fraction: float, code: int) -> None:
    for name in ("1.tar", "2.tar"):
        (tars / name).write_bytes(b"no tar" * 200)
    assert folder.build("--max-bad-fraction", fraction) == code
    assert (folder.out / "labelset.json").exists() == (code == 3)
    if code == 1:
        assert f"2 of 5 shards failed, more than --max-bad-fraction {fraction:g} allows:" in folder.stderr
        assert "1.tar is not a tar" in folder.stderr
        assert folder.build("--max-bad-fraction", 1, "--json") == 3
        assert folder.json()["shards_extracted"] == 0


def test_max_bad_fraction__missing_files_are_counted_before_the_work(folder: Folder, tars: Path) -> None:
    for number in range(3):
        (tars / f"{number}.tar").unlink()
    assert folder.build() == 1
    assert "3 of 5 shards cannot be read, more than --max-bad-fraction 0.5 allows; the first is" in folder.stderr
    assert not list((folder.out / "_candidates").glob("*"))


def test_slices__share_the_folder_with_each_other_and_with_no_build(folder: Folder) -> None:
    out = str(folder.out)
    with locks.held(out, "0-of-2"):
        assert folder.build("--slice", "1/2") == 0
        for arguments in (["--slice", "0/2"], []):
            assert folder.build(*arguments) == 1
            assert folder.stderr.startswith(f"Error: Another build is writing to {out}.")
        assert folder.finish() == 1
    with locks.held(out):
        assert folder.build("--slice", "0/2") == 1
    assert folder.build("--slice", "0/2") == 0


@pytest.mark.parametrize("text", ["2/2", "x", "1", "-1/2", "0/0", "1/2/3"])
def test_slice__that_is_none(folder: Folder, text: str) -> None:
    assert folder.build("--slice", text) == 2
    assert "Of 8 jobs the first is 0/8 and the last 7/8." in folder.stderr


@pytest.mark.parametrize("arguments", [["--slice", "0/2", "--retry-failed"], ["--rebuild", "--retry-failed"]])
def test_build__options_that_exclude_each_other(folder: Folder, arguments: list[str]) -> None:
    assert folder.build(*arguments) == 2


def test_slice__standard_input_is_refused(folder: Folder) -> None:
    assert folder.run("build", "-", "--out", folder.out, "--slice", "0/2") == 1
    assert "Standard input cannot be cut into slices." in folder.stderr


def test_finish__mistake_in_the_senses_is_told_by_the_first_slice(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "senses").write_text("dog\tnosuch.n.01\n")
    assert folder.build("--slice", "0/2", "--senses", tmp_path / "senses") == 1
    assert "has no synset 'nosuch.n.01'" in folder.stderr


def test_engines__are_those_of_the_library() -> None:
    assert labels.ENGINES == engines.NAMES


def test_build__ray_that_is_missing_names_the_extra(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert folder.build("--engine", "ray") == 1
    assert "this command needs ray. Install it with: pip install 'catlip[ray]'" in folder.stderr
