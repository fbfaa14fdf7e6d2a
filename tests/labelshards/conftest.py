from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelshards import parquet, schema, storage
from labelshards.images import ImageFile
from labelshards.labelset import Manifest, Provenance, ShardEntry, Totals
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

IMAGE_FILES = (ImageFile(uri="/data/00000.tar", bytes=10_240),)


@pytest.fixture(scope="session")
def make_vocabulary() -> Callable[[int], Vocabulary]:
    """`make_vocabulary(K)` makes K classes."""

    def make(num_classes: int) -> Vocabulary:
        numbers = range(num_classes)
        columns: dict[str, object] = {
            "class_id": numbers,
            "family": [schema.NOUNS] * num_classes,
            "wnid": [f"n{number:08d}" for number in numbers],
            "synset": [f"thing_{number}.n.01" for number in numbers],
            "lemmas": [[f"thing {number}", "Ding"] for number in numbers],
            "gloss": ["a thing"] * num_classes,
            "lexname": ["noun.artifact"] * num_classes,
            "support": [num_classes - number for number in numbers],
        }
        return Vocabulary(
            pa.table([pa.array(columns[field.name], field.type) for field in schema.VOCABULARY], schema.VOCABULARY)
        )

    return make


@pytest.fixture(scope="session")
def make_shard() -> Callable[..., LabelShard]:
    """`make_shard(labels, captions=None)` makes a label shard with one row per list of labels."""

    def make(labels: Sequence[Sequence[int]], captions: list[list[str]] | None = None) -> LabelShard:
        images = [{"file": 0, "offset": 512 * row, "size": row} if row % 3 else None for row in range(len(labels))]
        return LabelShard(
            keys=pa.array([f"{row:09d}" for row in range(len(labels))], pa.string()),
            offsets=np.cumsum([0, *map(len, labels)], dtype=np.int64),
            values=np.array([label for row in labels for label in row], dtype=np.uint32),
            images=pa.array(images, schema.IMAGE),
            image_files=IMAGE_FILES,
            captions=None if captions is None else pa.array(captions, pa.list_(pa.string())),
        )

    return make


@pytest.fixture
def label_set(
    tmp_path: Path, make_vocabulary: Callable[[int], Vocabulary], make_shard: Callable[..., LabelShard]
) -> Path:
    """A small finished label set of two shards and four classes, written through the contract alone."""
    vocab = make_vocabulary(4)
    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.EXAMPLES_NAME: parquet.to_bytes(schema.EXAMPLES.empty_table()),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(schema.COOCCURRENCE.empty_table()),
    }
    for name, data in files.items():
        storage.write_bytes(str(tmp_path / name), data)
    entries = []
    for name, labels in {"00000": [[0, 2], [], [3]], "00001": [[1]]}.items():
        data = make_shard(labels).to_bytes(vocab.digest)
        storage.write_bytes(str(tmp_path / "shards" / f"{name}.parquet"), data)
        entries.append(
            ShardEntry(
                name=name,
                rows=len(labels),
                labelled=sum(map(bool, labels)),
                images=0,
                bytes=len(data),
                xxh3_64=storage.digest(data),
                source=f"/data/{name}.tar",
            )
        )
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint="0" * 16,
        threshold=0,
        vocabulary_digest=vocab.digest,
        vocabulary_from=None,
        with_captions=False,
        totals=Totals(samples=4, labelled=3, images=0, captions=4, labels=4, classes=4, problems={}),
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(catlip="0", sources=["/data/*.tar"], labeler="noun-chunks", settings={}, tools={}),
        shards=entries,
        failed=[],
    )
    storage.write_bytes(str(tmp_path / schema.MANIFEST_NAME), manifest.to_bytes())
    return tmp_path
