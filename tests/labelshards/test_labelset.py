import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labelshards import labelset, parquet, schema, storage
from labelshards.errors import LabelSetError
from labelshards.labelset import LabelSet, Manifest
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary


def edit_manifest(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the manifest with one change."""
    where = root / schema.MANIFEST_NAME
    content = json.loads(where.read_bytes())
    change(content)
    where.write_text(json.dumps(content))


def flip(path: Path, position: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_open__reads_what_was_written(label_set: Path) -> None:
    opened = LabelSet.open(str(label_set))
    assert len(opened.vocabulary) == 4
    assert opened.rows_per_shard().tolist() == [3, 1]
    assert [opened.read_shard(0).labels(row).tolist() for row in range(3)] == [[0, 2], [], [3]]
    assert opened.read_shard(1).labels(0).tolist() == [1]
    assert opened.examples().schema.names == schema.EXAMPLES.names
    assert opened.cooccurrence().num_rows == 0
    assert labelset.is_intact(str(label_set), opened.manifest)


def test_open__manifest_survives_a_round_trip(label_set: Path) -> None:
    manifest = LabelSet.open(str(label_set)).manifest
    assert msgspec.json.decode(manifest.to_bytes(), type=Manifest) == manifest
    assert (label_set / schema.MANIFEST_NAME).read_bytes() == manifest.to_bytes()


@pytest.mark.parametrize(
    ("rows", "most_samples", "most_shards", "expected"),
    [
        ([10] * 5, 50, None, [0, 1, 2, 3, 4]),
        ([10] * 5, 30, None, [0, 2, 4]),
        ([10] * 5, 1_000, 2, [0, 4]),
        ([10] * 5, 1, None, [0]),
        ([0, 0], 10, None, [0, 1]),
        ([], 10, 3, []),
    ],
)
def test_spread_shards__from_everywhere(
    label_set: Path, rows: list[int], most_samples: int, most_shards: int | None, expected: list[int]
) -> None:
    opened = LabelSet.open(str(label_set))
    entry = opened.manifest.shards[0]
    shards = [msgspec.structs.replace(entry, rows=number) for number in rows]
    manifest = msgspec.structs.replace(opened.manifest, shards=shards)
    spread = LabelSet(opened.root, manifest, opened.vocabulary).spread_shards(most_samples, most_shards)
    assert spread.tolist() == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", r"is not a finished label set: it has no labelset\.json"),
        ("labelset.json", "is not a finished label set"),
        ("nothing", r"nothing does not exist\. Give a folder that `catlip labels build` wrote"),
        ("labelset.json/x", "x does not exist"),
    ],
)
def test_open__not_a_label_set(label_set: Path, where: str, message: str) -> None:
    if where == "":
        (label_set / schema.MANIFEST_NAME).unlink()
    with pytest.raises(LabelSetError, match=message):
        LabelSet.open(str(label_set / where))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is damaged"),
        (b'{"format": "catlip-label-set", "format_ver', "is damaged"),
        (b"[]", "is damaged"),
        (b"\xff\xfe{}", "is damaged"),
        (b'{"format": "\xff"}', "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b'{"format": "catlip-label-set", "format_version": 2}', "is damaged: .* `fingerprint`"),
        (b"{}", "is not the manifest of a label set"),
        (b'{"format": "coco"}', "is not the manifest of a label set"),
        (b'{"format": "catlip-label-set", "format_version": 1}', "has format version 1; this catlip reads version 2"),
        (b'{"format": "catlip-label-set", "format_version": "2"}', "has format version 2; this catlip reads"),
    ],
)
def test_open__refuses_the_manifest(label_set: Path, content: bytes, reason: str) -> None:
    (label_set / schema.MANIFEST_NAME).write_bytes(content)
    with pytest.raises(LabelSetError, match=rf"labelset\.json {reason}") as error:
        LabelSet.open(str(label_set))
    assert "\n" not in str(error.value)


def test_open__manifest_with_a_field_of_another_type(label_set: Path) -> None:
    edit_manifest(label_set, lambda content: content.update(shards=3))
    with pytest.raises(LabelSetError, match=r"is damaged: Expected `array`, got `int` - at `\$\.shards`"):
        LabelSet.open(str(label_set))


@pytest.mark.parametrize("position", [0, 4, 200, -1])
def test_read__changed_file(label_set: Path, position: int) -> None:
    opened = LabelSet.open(str(label_set))
    readers: dict[str, Callable[[], object]] = {
        "shards/00001.parquet": lambda: opened.read_shard(1),
        "examples.parquet": opened.examples,
        "cooccurrence.parquet": opened.cooccurrence,
        "vocabulary.parquet": lambda: LabelSet.open(str(label_set)),
    }
    for name, read in readers.items():
        flip(label_set / name, position)
        with pytest.raises(LabelSetError, match=f"{name} changed after the label set was finished"):
            read()
        assert not labelset.is_intact(str(label_set), opened.manifest)
        flip(label_set / name, position)
    assert labelset.is_intact(str(label_set), opened.manifest)


def test_read__missing_file(label_set: Path) -> None:
    opened = LabelSet.open(str(label_set))
    (label_set / "shards" / "00001.parquet").unlink()
    assert len(opened.read_shard(0)) == 3
    with pytest.raises(LabelSetError, match=r"00001\.parquet is missing\. Run `catlip labels build` again\."):
        opened.read_shard(1)
    (label_set / "vocabulary.parquet").unlink()
    with pytest.raises(LabelSetError, match=r"vocabulary\.parquet is missing"):
        LabelSet.open(str(label_set))


def test_open__vocabulary_of_another_label_set(label_set: Path, make_vocabulary: Callable[[int], Vocabulary]) -> None:
    data = make_vocabulary(5).to_bytes()
    (label_set / "vocabulary.parquet").write_bytes(data)
    with pytest.raises(LabelSetError, match="changed after"):
        LabelSet.open(str(label_set))
    edit_manifest(label_set, lambda content: content["files"].update({"vocabulary.parquet": storage.digest(data)}))
    with pytest.raises(LabelSetError, match="the vocabulary's digest is not the manifest's"):
        LabelSet.open(str(label_set))


def replace_shard(root: Path, data: bytes) -> None:
    """Put another label shard in the place of 00001, with its hash, as a careless writer might."""
    (root / "shards" / "00001.parquet").write_bytes(data)
    edit_manifest(root, lambda content: content["shards"][1].update(xxh3_64=storage.digest(data)))


def test_read_shard__of_another_vocabulary(label_set: Path, make_shard: Callable[..., LabelShard]) -> None:
    replace_shard(label_set, make_shard([[1]]).to_bytes("0123456789abcdef"))
    with pytest.raises(LabelSetError, match="was encoded with vocabulary 0123456789abcdef, the label set's is"):
        LabelSet.open(str(label_set)).read_shard(1)


def test_read_shard__of_another_length(label_set: Path, make_shard: Callable[..., LabelShard]) -> None:
    digest = LabelSet.open(str(label_set)).vocabulary.digest
    replace_shard(label_set, make_shard([[1], [2]]).to_bytes(digest))
    with pytest.raises(LabelSetError, match=r"shards/00001\.parquet has 2 rows, the manifest says 1"):
        LabelSet.open(str(label_set)).read_shard(1)


def test_read_shard__of_another_format_version(
    label_set: Path, make_shard: Callable[..., LabelShard], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "FORMAT_VERSION", 7)
        data = make_shard([[1]]).to_bytes("x")
    replace_shard(label_set, data)
    with pytest.raises(LabelSetError, match="has format version 7; this catlip reads version 2"):
        LabelSet.open(str(label_set)).read_shard(1)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no Parquet at all" * 9])
def test_read_shard__not_parquet(label_set: Path, data: bytes) -> None:
    replace_shard(label_set, data)
    with pytest.raises(LabelSetError, match=r"00001\.parquet is not a readable Parquet file"):
        LabelSet.open(str(label_set)).read_shard(1)


def test_read_shard__without_a_column(label_set: Path) -> None:
    replace_shard(label_set, parquet.to_bytes(schema.COOCCURRENCE.empty_table()))
    with pytest.raises(LabelSetError, match="lacks the columns key, labels, image"):
        LabelSet.open(str(label_set)).read_shard(1)
