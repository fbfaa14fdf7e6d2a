"""What `verify` finds in label sets that somebody has been at."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from catlip_cli.main import run
from labelshards import parquet, schema, storage
from labelshards.errors import LabelSetError
from labelshards.verify import verify
from tests.labelset_factory import coloured, write_label_set


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    root = write_label_set(tmp_path / "whole", coloured(2, 8))
    files = {}
    for name, columns in (("cooccurrence.parquet", schema.COOCCURRENCE), ("examples.parquet", schema.EXAMPLES)):
        data = parquet.to_bytes(columns.empty_table())
        storage.write_bytes(f"{root}/{name}", data)
        files[name] = storage.digest(data)
    edit_manifest(Path(root), lambda manifest: manifest["files"].update(files))
    return Path(root)


def tars_of(labels: Path) -> list[Path]:
    return sorted(labels.parent.rglob("*.tar"))


def edit_manifest(labels: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((labels / "labelset.json").read_text())
    change(manifest)
    (labels / "labelset.json").write_text(json.dumps(manifest))


def test_verify__good_one(labels: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = verify(str(labels), deep=True, on_step=lambda done, total: steps.append((done, total)))
    assert found.wrong == []
    assert found.rows == found.images > 0
    assert steps[0][0] == 0
    assert steps[-1] == (steps[-1][1], steps[-1][1])
    assert verify(str(labels)).images == 0


def flip(path: Path, at: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda labels: flip(next((labels / "shards").iterdir())), "changed after the label set was finished"),
        (lambda labels: next((labels / "shards").iterdir()).unlink(), "is missing"),
        (lambda labels: flip(labels / "examples.parquet"), "examples.parquet changed after"),
        (lambda labels: (labels / "cooccurrence.parquet").unlink(), "cooccurrence.parquet is missing"),
        (lambda labels: (labels / "shards" / "x.parquet").touch(), "x.parquet is not part of the label set"),
        (lambda labels: edit_manifest(labels, lambda m: m["shards"][0].update(rows=1)), "the manifest says 1"),
        (lambda labels: edit_manifest(labels, lambda m: m["shards"][0].update(labelled=1)), "the manifest says 1."),
        (lambda labels: edit_manifest(labels, lambda m: m["totals"].update(labels=3)), "manifest says 3 labels, and"),
    ],
)  # fmt: skip
def test_verify__harm_is_told(labels: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(labels)
    found = verify(str(labels))
    assert any(message in line for line in found.wrong), found.wrong
    assert all("\n" not in line for line in found.wrong)


@pytest.mark.parametrize("name", ["labelset.json", "vocabulary.parquet"])
def test_verify__no_label_set(labels: Path, name: str) -> None:
    (labels / name).unlink()
    with pytest.raises(LabelSetError):
        verify(str(labels))


def test_verify__deep_finds_what_became_of_the_images(labels: Path) -> None:
    tar = tars_of(labels)[0]
    whole = tar.read_bytes()
    shutil.move(tar, tar.with_suffix(".away"))
    assert verify(str(labels)).wrong == []
    assert verify(str(labels), deep=True).wrong == [
        f"{tar} is gone. Put it back, or say where it is with --moved OLD=NEW."
    ]
    tar.write_bytes(whole + bytes(512))
    (line,) = verify(str(labels), deep=True).wrong
    assert f"{tar} has {len(whole) + 512:,} bytes, and had {len(whole):,}" in line
    # The same size, and other members: only the headers tell.
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        offsets = [member.offset for member in archive]
    data = bytearray(whole)
    for offset in offsets:
        data[offset : offset + 3] = b"not"
    tar.write_bytes(data)
    wrong = verify(str(labels), deep=True).wrong
    assert len(wrong) == 4
    assert all("it changed" in line for line in wrong[:3])
    assert "more of its images are not as they were." in wrong[3]


def test_verify__moved_images(labels: Path) -> None:
    folder = tars_of(labels)[0].parent
    shutil.move(folder, folder.with_name("elsewhere"))
    assert verify(str(labels), deep=True).wrong
    assert verify(str(labels), deep=True, moved={str(folder): str(folder.with_name("elsewhere"))}).wrong == []


def test_verify__remote_folder(labels: Path) -> None:
    fs = fsspec.filesystem("memory")
    for path in labels.rglob("*"):
        if path.is_file():
            storage.write_bytes(f"memory://verified/{path.relative_to(labels)}", path.read_bytes())
    assert verify("memory://verified", deep=True).wrong == []
    fs.rm("/verified/examples.parquet")
    assert len(verify("memory://verified").wrong) == 1


def test_command__says_what_is_wrong_and_fails(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "verify", str(labels), "--deep"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[0] == f"Checked {labels}"
    assert "  wrong    nothing" in said.out
    assert "Next: catlip train" in said.out
    flip(labels / "examples.parquet")
    assert run(["labels", "verify", str(labels)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    assert run(["labels", "verify", str(labels), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], len(found["wrong"]), found["images"]) == (False, 1, None)
