"""Which format a file is of, and where files may lie."""

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catlip_cli import labels
from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.sample import SourceError
from labelshards.images import ImageReader, ImageRef
from tests.labelgen.sources.reading import read, try_reading

CONTENTS = {
    "csv": b"url,caption\nu,a dog\n",
    "tsv": b"url\tcaption\nu\ta dog\n",
    "jsonl": b'{"caption": "a dog"}\n{"caption": "a dog"}\n',
    "coco": json.dumps({"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "a dog"}]}).encode(),
    "txt": b"a dog, and a cat\n",
}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory, write_tar: Callable[..., Path]) -> dict[str, bytes]:
    """Bytes of a small file of each format."""
    folder = tmp_path_factory.mktemp("contents")
    pq.write_table(pa.table({"caption": ["a dog"]}), folder / "x")
    tar = write_tar(folder / "x.tar", [("a.txt", b"a dog")]).read_bytes()
    return CONTENTS | {"parquet": (folder / "x").read_bytes(), "tar": tar}


def test_formats__are_those_of_the_command_line() -> None:
    assert tuple(sources.FORMATS) == labels.FORMATS


@pytest.mark.parametrize("name", [name for name in sources.FORMATS if name not in ("txt", "folder")])
def test_format_of__content_where_the_name_says_nothing(tmp_path: Path, contents: dict[str, bytes], name: str) -> None:
    (tmp_path / "x").write_bytes(contents[name])
    assert sources.format_of(str(tmp_path / "x"), Fields()) == name
    assert read(tmp_path / "x").captions[0] == ("a dog",)


@pytest.mark.parametrize("name", [name for name in sources.FORMATS if name != "folder"])
def test_format_of__name(tmp_path: Path, contents: dict[str, bytes], name: str) -> None:
    for suffix in sources.FORMATS[name].suffixes[:1]:
        (tmp_path / f"x{suffix.upper()}").write_bytes(contents[name])
        assert sources.format_of(str(tmp_path / f"x{suffix.upper()}"), Fields()) == name
        assert len(read(tmp_path / f"x{suffix.upper()}").samples) >= 1


@pytest.mark.parametrize("name", [name for name in sources.FORMATS if name not in ("txt", "folder")])
@pytest.mark.parametrize("named", [name for name in sources.FORMATS if name != "folder"])
def test_read__name_and_content_contradict_each_other(
    tmp_path: Path, contents: dict[str, bytes], name: str, named: str
) -> None:
    path = tmp_path / f"x{sources.FORMATS[named].suffixes[0]}"
    path.write_bytes(contents[name])
    if name == named:
        assert try_reading(path).errors == []
        return
    assert try_reading(path).errors == [
        f"{path} is named like {named} and reads like {name}. Say which it is with --input-format."
    ]
    assert read(path, fields=Fields(format=name)).captions[0] == ("a dog",)


def test_format_of__json_lines_with_fields_of_cocos_names(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"caption": "a dog", "annotations": [], "images": [1]}\n' * 2)
    assert read(tmp_path / "x.jsonl").captions == [("a dog",)] * 2


@pytest.mark.parametrize("name", list(sources.FORMATS))
@pytest.mark.parametrize("change", ["gone", "other"])
def test_read__no_longer_what_was_planned(tmp_path: Path, contents: dict[str, bytes], name: str, change: str) -> None:
    path = tmp_path / ("dog.jpg" if name == "folder" else f"x{sources.FORMATS[name].suffixes[0]}")
    path.write_bytes(contents.get(name, b"picture"))
    (shard,) = sources.plan([str(tmp_path if name == "folder" else path)], Fields())
    path.unlink()
    if change == "other":
        path.write_bytes(contents.get(name, b"picture") + b"\n")
    gone = change == "gone" and name != "folder"
    with pytest.raises(SourceError, match="cannot be read: No such file" if gone else "changed while it was read"):
        list(sources.read(shard, Fields()))


def test_format_of__neither_name_nor_content(tmp_path: Path) -> None:
    for name, content in [("x", b"a dog"), ("x.html", b"<html>"), ("empty", b""), ("page", b"a dog, and\na cat")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match="is of no known format"):
            sources.plan([str(tmp_path / name)], Fields())
        if content:
            assert read(tmp_path / name, fields=Fields(format="txt")).samples


@pytest.mark.parametrize(
    ("source", "fields", "reason"),
    [
        ("x.csv", Fields(format="xml"), "No format is called 'xml'"),
        ("", Fields(format="csv"), "is a folder. Name what --input-format asks for"),
        ("x.csv", Fields(format="folder"), "is no folder. Name what --input-format asks for"),
        ("x.txt", Fields(caption_keys=("a",)), "is read as txt, which has no use for --caption-key"),
        ("x.csv", Fields(captions_from="parquet:a"), "is read as csv, which has no use for --captions-from"),
        ("nothing://x.csv", Fields(), "cannot be opened"),
    ],
)
def test_plan__options_that_do_not_fit(
    tmp_path: Path, contents: dict[str, bytes], source: str, fields: Fields, reason: str
) -> None:
    for name in ("csv", "txt"):
        (tmp_path / f"x.{name}").write_bytes(contents[name])
    with pytest.raises(SourceError, match=reason):
        sources.plan([source if "://" in source else f"{tmp_path}/{source}"], fields)


def test_plan__names_without_their_endings(tmp_path: Path, contents: dict[str, bytes]) -> None:
    (tmp_path / "v1.2").mkdir()
    (tmp_path / "v1.2" / "dog.jpg").write_bytes(b"x")
    (tmp_path / "a.b.csv.gz").write_bytes(gzip.compress(contents["csv"]))
    (tmp_path / "plain").write_bytes(contents["jsonl"])
    found = sources.plan([str(tmp_path / name) for name in ("v1.2", "a.b.csv.gz", "plain")], Fields())
    assert [shard.name for shard in found] == ["v1.2", "a.b", "plain"]


@pytest.mark.parametrize("scheme", ["memory", "zip", "file"])
@pytest.mark.parametrize("name", list(sources.FORMATS))
def test_read__any_file_system(tmp_path: Path, contents: dict[str, bytes], scheme: str, name: str) -> None:
    """Each format, several files by a glob, from real file systems of fsspec that are not the local one."""
    folder = tmp_path / "in"
    suffix = "" if name == "folder" else sources.FORMATS[name].suffixes[0]
    for stem in ("b", "a"):
        if name == "folder":
            (folder / stem).mkdir(parents=True)
            (folder / stem / "dog.jpg").write_bytes(b"picture")
            (folder / stem / "dog.txt").write_text("a dog")
        else:
            folder.mkdir(exist_ok=True)
            (folder / f"{stem}{suffix}").write_bytes(contents[name])
    locally = read(*([folder / "a", folder / "b"] if name == "folder" else [folder / f"*{suffix}"]))
    pattern = {"memory": f"memory://{tmp_path.name}/", "zip": "zip://", "file": f"file://{folder}/"}[scheme]
    chain = f"::file://{tmp_path}/x.zip" if scheme == "zip" else ""
    if scheme == "memory":
        fsspec.filesystem("memory").put(f"{folder}/", f"/{tmp_path.name}/", recursive=True)
    elif scheme == "zip":
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder))
        shutil.rmtree(folder)
    names = ["a", "b"] if name == "folder" else [f"*{suffix}"]
    found = read(*(f"{pattern}{each}{chain}" for each in names))
    assert (found.keys, found.captions, found.problems) == (locally.keys, locally.captions, locally.problems)
    if name == "folder":
        image = found.samples[0].image
        assert image is not None
        assert ImageReader().read(image.file, ImageRef(0, 0, image.size), "dog") == b"picture"


def test_read__changed_in_another_file_system(contents: dict[str, bytes]) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/changed/x.csv", contents["csv"])
    (shard,) = sources.plan(["memory://changed/x.csv"], Fields())
    memory.pipe_file("/changed/x.csv", contents["csv"].replace(b"dog", b"cat"))
    with pytest.raises(SourceError, match="changed while it was read"):
        list(sources.read(shard, Fields()))
    memory.rm("/changed/x.csv")
    with pytest.raises(SourceError, match="cannot be read"):
        list(sources.read(shard, Fields()))


@pytest.fixture(scope="module")
def content_of(contents: dict[str, bytes]) -> Callable[[str], bytes]:
    """`contents`, as something that Hypothesis can print."""
    return contents.__getitem__


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=6), kept=st.floats(0.2, 1))
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", [name for name in sources.FORMATS if name not in ("tar", "folder")])
def test_read__broken_bytes_give_samples_or_one_clear_error(
    tmp_path: Path,
    content_of: Callable[[str], bytes],
    name: str,
    compress: bool,
    flips: list[tuple[float, int]],
    kept: float,
) -> None:
    suffixes = sources.FORMATS[name].suffixes
    content = bytearray(content_of(name) * (20 if name in ("csv", "tsv", "jsonl", "txt") else 1))
    suffix = next((suffix for suffix in suffixes if suffix.endswith(".gz")), "") if compress else ""
    if suffix:
        content = bytearray(gzip.compress(content))
    for place, mask in flips:
        content[int(place * len(content))] ^= mask
    path = tmp_path / f"x{suffix or suffixes[0]}"
    path.write_bytes(content[: int(kept * len(content))])
    found = try_reading(path, fields=Fields(format=name))
    assert len(found.errors) <= 1
    assert all(str(path) in error and "\n" not in error for error in found.errors)
    assert "".join(found.keys).encode().decode() == "".join(found.keys)
