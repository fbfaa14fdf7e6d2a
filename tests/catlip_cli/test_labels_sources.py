"""`catlip labels build` on each format: the same captions give the same labels, wherever they come from."""

import csv
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catlip_cli.main import run
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet

pytestmark = pytest.mark.usefixtures("one_process")

CAPTIONS = {
    "a": "A black dog runs on the grass.",
    "b": "Two dogs, a cat and a \"big\" ball.",
    "c": "",
    "d": "A polar bear eats ice cream.",
}  # fmt: skip
LABELS = [
    ["dog.n.01", "grass.n.01"],
    ["ball.n.01", "cat.n.01", "dog.n.01"],
    [],
    ["ice_bear.n.01", "ice_cream.n.01"],
]
PICTURE = b"\xff\xd8 picture "
Build = Callable[..., dict[str, Any]]


@pytest.fixture
def build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Build:
    """Runs the command with --json; returns its summary, or what it said on stderr under "error"."""

    def run_build(*arguments: object, code: int = 0, out: str = "labels") -> dict[str, Any]:
        where = str(tmp_path / out)
        found = run(["labels", "build", *map(str, arguments), "--out", where, "--threshold", "0", "--json"])
        said = capsys.readouterr()
        assert found == code, said.err
        assert "Traceback" not in said.err
        return {"error": said.err} if code == 1 else dict(json.loads(said.out))

    return run_build


@pytest.fixture
def made(tmp_path: Path, write_tar: Callable[..., Path]) -> Path:
    """One folder with the captions in every format, and pictures."""
    rows = [{"key": key, "caption": caption, "image": f"pictures/{key}.jpg"} for key, caption in CAPTIONS.items()]
    (tmp_path / "pictures").mkdir()
    for key, caption in CAPTIONS.items():
        (tmp_path / "pictures" / f"{key}.jpg").write_bytes(PICTURE + key.encode())
        (tmp_path / "pictures" / f"{key}.txt").write_text(caption)
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([rows[0].keys(), *(row.values() for row in rows)])
    (tmp_path / "x.tsv").write_text("".join("\t".join(row) + "\n" for row in [rows[0], *(r.values() for r in rows)]))
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "x.txt").write_text("".join(f"{caption}\n" for caption in CAPTIONS.values()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    images = [{"id": key, "file_name": f"{key}.jpg"} for key in CAPTIONS]
    annotations = [{"image_id": key, "caption": caption} for key, caption in CAPTIONS.items()]
    (tmp_path / "x.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    members = [
        (f"{key}.{suffix}", content)
        for key, caption in CAPTIONS.items()
        for suffix, content in (("jpg", PICTURE + key.encode()), ("txt", caption.encode()))
    ]
    write_tar(tmp_path / "x.tar", members)
    return tmp_path


def synsets(out: Path) -> list[list[str]]:
    """Each row's labels, all shards in order; every image is read, and must be its own row's."""
    label_set = LabelSet.open(str(out))
    reader = ImageReader()
    rows = []
    for index in range(len(label_set.manifest.shards)):
        shard = label_set.read_shard(index)
        for row, key in enumerate(shard.keys.to_pylist()):
            rows.append(sorted(label_set.vocabulary.synsets[label] for label in shard.labels(row)))
            if (place := shard.image(row)) is not None:
                assert reader.read(*place, key) == PICTURE + key.encode()
    reader.close()
    return rows


@pytest.mark.parametrize(
    ("source", "options", "num_images"),
    [
        ("x.tar", [], 4),
        ("x.tar", ["--captions-from", "parquet:caption"], 4),
        ("x.parquet", [], 4),
        ("x.csv", ["--caption-key", "caption", "--key-column", "key", "--image-column", "image"], 4),
        ("x.tsv", [], 4),
        ("x.jsonl", [], 4),
        ("x.json", [], 0),
        ("x.json", ["--image-root", "pictures"], 4),
        ("x.txt", [], 0),
        ("pictures", [], 4),
    ],
)
def test_build__same_labels_from_every_format(
    build: Build, made: Path, monkeypatch: pytest.MonkeyPatch, source: str, options: list[str], num_images: int
) -> None:
    monkeypatch.chdir(made)
    found = build(source, *options)
    assert synsets(made / "labels") == LABELS
    assert (found["samples"], found["images"], found["problems"]) == (4, num_images, {"empty caption": 1})
    assert build(source, *options)["changed"] is False
    assert LabelSet.open(str(made / "labels")).manifest.shards[0].name == ("pictures" if source == "pictures" else "x")


@pytest.mark.parametrize("name", ["x.tar", "x.parquet", "x.csv", "x.tsv", "x.jsonl", "x.json", "x.txt"])
def test_build__from_another_file_system(build: Build, made: Path, name: str) -> None:
    with zipfile.ZipFile(made / "in.zip", "w") as archive:
        archive.write(made / name, name)
        for key in CAPTIONS:
            archive.write(made / "pictures" / f"{key}.jpg", f"pictures/{key}.jpg")
    shutil.rmtree(made / "pictures")
    (made / name).unlink()
    build(f"zip://{name}::{made}/in.zip")
    assert synsets(made / "labels") == LABELS


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("name", "options"), [("x.txt", []), ("x.jsonl", ["--input-format", "jsonl"]), ("x.csv", ["--input-format", "csv"])]
)
def test_build__standard_input(
    build: Build, made: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: list[str], keep: bool
) -> None:
    def pipe() -> None:
        content = (made / name).read_bytes().replace(b"pictures/", f"{made}/pictures/".encode())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    options = [*options, *([] if keep else ["--no-keep-candidates"])]
    pipe()
    assert build("-", *options)["samples"] == 4
    assert synsets(made / "labels") == LABELS
    assert not (made / "labels" / "_stdin").exists()
    pipe()
    assert build("-", *options)["changed"] is False
    (made / name).write_bytes((made / name).read_bytes().replace(b"polar bear", b"black cat"))
    pipe()
    assert build("-", *options)["shards_extracted"] == 1


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"", [], "Nothing came on standard input."),
        (b"a dog\n", ["--input-format", "parquet"], "Standard input is read as txt, jsonl, tsv, csv."),
        (b'{"caption": "a dog"}\n', [], "is named like txt and reads like jsonl. Say which it is with --input-format."),
    ],
)
def test_build__standard_input_refused(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, options: list[str], reason: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert reason in build("-", *options, code=1)["error"]
    assert not (tmp_path / "labels" / "_stdin").exists()


def test_build__standard_input_needs_a_local_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "build", "-", "--out", "memory://nowhere/labels"]) == 1
    assert "Standard input needs an --out on this machine" in capsys.readouterr().err


def test_build__changed_side_parquet_is_read_again(build: Build, made: Path) -> None:
    side = ["--captions-from", "parquet:caption"]
    build(made / "x.tar", *side)
    pq.write_table(pa.table({"key": ["a", "z"], "caption": ["a horse", "a boat"]}), made / "x.parquet")
    found = build(made / "x.tar", *side)
    assert found["shards_extracted"] == 1
    assert found["problems"] == {"missing caption": 3, "row of the Parquet beside the tar without a sample": 1}
    (made / "x.parquet").unlink()
    assert "x.parquet cannot be read" in build(made / "x.tar", *side, code=1)["error"]


def test_build__changed_picture_in_a_folder_is_read_again(build: Build, made: Path) -> None:
    build(made / "pictures")
    (made / "pictures" / "d.txt").write_text("A horse.")
    assert build(made / "pictures")["shards_extracted"] == 1
    assert synsets(made / "labels")[3] == ["horse.n.01"]
    (made / "pictures" / "e.txt").write_text("A boat.")
    assert build(made / "pictures")["problems"] == {"caption file without a picture": 1, "empty caption": 1}


def test_build__bad_files_of_every_format_beside_good_ones(build: Build, made: Path) -> None:
    (made / "bad").mkdir()
    for name, content in {
        "cut.parquet": (made / "x.parquet").read_bytes()[:-20],
        "columns.csv": b"alt,url\na dog,u\n",
        "fields.jsonl": b'{"alt": "a dog"}\n',
        "object.json": b'{"images": []',
        "sixteen.tsv": "a dog\tu\n".encode("utf-16"),
        "empty.txt": b"",
        "wrong.tsv": (made / "x.parquet").read_bytes(),
    }.items():
        (made / "bad" / name).write_bytes(content)
    found = build(made / "x.*", made / "bad" / "*", code=1)
    assert "would get label shards of one name" in found["error"]  # x.tar and x.csv
    found = build(made / "x.csv", made / "bad" / "*", code=1)
    assert "7 of 8 shards failed, more than --max-bad-fraction 0.5 allows" in found["error"]
    found = build(made / "x.csv", made / "bad" / "*", "--max-bad-fraction", "1", code=3)
    reasons = {Path(failure["source"]).name: failure["reason"] for failure in found["failed"]}
    assert len(reasons) == 7
    assert all(name in reason and "\n" not in reason for name, reason in reasons.items())
    assert found["samples"] == 4


def test_build__format_that_does_not_exist(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "build", str(made / "x.csv"), "--out", str(made / "labels"), "--input-format", "xml"]) == 2
    assert "is not one of 'tar', 'parquet'" in capsys.readouterr().err
