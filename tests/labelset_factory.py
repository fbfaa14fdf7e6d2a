"""Small real label sets: tars with pictures in them, and the label shards that point there."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from labelshards import parquet, schema, storage
from labelshards.images import ImageFile
from labelshards.labelset import Manifest, Provenance, ShardEntry, Totals
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

# Classes are colours, so that even the smallest encoder can learn them.
COLOURS = ((230, 30, 30), (30, 200, 30), (30, 30, 230), (240, 220, 20), (200, 30, 200), (20, 20, 20))


@dataclass(frozen=True, kw_only=True)
class Item:
    """One sample to be written; `image=None` leaves the picture out."""

    key: str
    labels: Sequence[int] = ()
    image: bytes | None = b""
    captions: Sequence[str] = field(default_factory=lambda: ["a caption"])


def picture(colour: Sequence[int], size: tuple[int, int] = (40, 36), seed: int = 0, form: str = "JPEG") -> bytes:
    """An encoded picture: noise around a colour."""
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(colour) + rng.normal(0, 12, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def coloured(num_shards: int, rows: int, num_classes: int = 4) -> list[list[Item]]:
    """Shards of coloured pictures, each labelled with its colour's class."""
    return [
        [
            Item(
                key=f"{shard:02d}{row:03d}",
                labels=[(shard + row) % num_classes],
                image=picture(COLOURS[(shard + row) % num_classes], seed=100 * shard + row),
                captions=[f"something of colour {(shard + row) % num_classes}", "another caption"],
            )
            for row in range(rows)
        ]
        for shard in range(num_shards)
    ]


def vocabulary(num_classes: int, support: Sequence[int] | None = None, prefix: str = "colour") -> Vocabulary:
    """A vocabulary of invented synsets."""
    names = [f"{prefix}{number}" for number in range(num_classes)]
    return Vocabulary(
        pa.table(
            {
                "class_id": pa.array(range(num_classes), pa.uint32()),
                "family": [schema.NOUNS] * num_classes,
                "wnid": [f"n{number:08d}" if prefix == "colour" else f"v{number:08d}" for number in range(num_classes)],
                "synset": [f"{name}.n.01" for name in names],
                "lemmas": [[name, "tint"] for name in names],
                "gloss": names,
                "lexname": ["noun.attribute"] * num_classes,
                "support": pa.array(support or [1] * num_classes, pa.int64()),
            },
            schema=schema.VOCABULARY,
        )
    )


def write_label_set(
    folder: Path,
    shards: Sequence[Sequence[Item]],
    *,
    num_classes: int = 4,
    with_captions: bool = True,
    prefix: str = "colour",
    words: Vocabulary | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Path:
    """Write `folder`/tars and `folder`/labels; returns the latter, a finished label set.

    words: a vocabulary instead of an invented one; tables: what is told of its classes, by name, if anything.
    """
    root = folder / "labels"
    support = np.bincount([label for items in shards for item in items for label in item.labels], minlength=num_classes)
    words = vocabulary(num_classes, support.tolist(), prefix) if words is None else words
    told = {
        schema.COOCCURRENCE_NAME: schema.COOCCURRENCE.empty_table(),
        schema.EXAMPLES_NAME: schema.EXAMPLES.empty_table(),
    }
    files = {name: parquet.to_bytes(table) for name, table in {**told, **(tables or {})}.items()}
    files[schema.VOCABULARY_NAME] = words.to_bytes()
    entries = []
    for number, items in enumerate(shards):
        tar = folder / "tars" / f"{number:05d}.tar"
        places = _write_tar(tar, items)
        shard = LabelShard(
            keys=pa.array([item.key for item in items], pa.string()),
            offsets=np.cumsum([0, *(len(item.labels) for item in items)]),
            values=np.array([label for item in items for label in item.labels], dtype=np.uint32),
            images=pa.array(places, schema.IMAGE),
            image_files=(ImageFile(uri=str(tar), bytes=tar.stat().st_size),),
            captions=pa.array([list(item.captions) for item in items], pa.list_(pa.string()))
            if with_captions
            else None,
        )
        data = shard.to_bytes(words.digest)
        storage.write_bytes(f"{root}/{schema.SHARD_FOLDER}/{tar.stem}.parquet", data)
        entries.append(
            ShardEntry(
                name=tar.stem,
                rows=len(items),
                labelled=sum(bool(item.labels) for item in items),
                images=sum(place is not None for place in places),
                bytes=len(data),
                xxh3_64=storage.digest(data),
                source=str(tar),
            )
        )
    for name, data in files.items():
        storage.write_bytes(f"{root}/{name}", data)
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint="test",
        threshold=1,
        vocabulary_digest=words.digest,
        vocabulary_from=None,
        with_captions=with_captions,
        totals=Totals(
            samples=sum(entry.rows for entry in entries),
            labelled=sum(entry.labelled for entry in entries),
            images=sum(entry.images for entry in entries),
            captions=sum(len(item.captions) for items in shards for item in items),
            labels=int(support.sum()),
            classes=len(words),
            problems={},
        ),
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(catlip="0", sources=[], labeler="test", settings={}, tools={}),
        shards=entries,
        failed=[],
    )
    storage.write_bytes(f"{root}/{schema.MANIFEST_NAME}", manifest.to_bytes())
    return root


def _write_tar(path: Path, items: Sequence[Item]) -> list[dict[str, int] | None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for item in items:
            if item.image is not None:
                member = tarfile.TarInfo(f"{item.key}.jpg")
                member.size = len(item.image)
                tar.addfile(member, io.BytesIO(item.image))
    with tarfile.open(path) as tar:
        found = {member.name: member for member in tar}
    return [
        None
        if item.image is None
        else {"file": 0, "offset": found[f"{item.key}.jpg"].offset_data, "size": len(item.image)}
        for item in items
    ]
