"""One label shard: a row for every sample of one input shard, in input order."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelshards import parquet, schema
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile, ImageRef

_IMAGE_FILES = msgspec.json.Decoder(list[ImageFile])


@dataclass(frozen=True, kw_only=True)
class LabelShard:
    """Columns of one shard with N samples.

    keys: string [N]; offsets: int64 [N+1] and values: uint32 [offsets[N]], the class ids of sample i being
    values[offsets[i]:offsets[i+1]], rising and unique; images: struct [N] (schema.IMAGE), null where a sample has no
    image; image_files: what `images.file` counts into; captions: list<string> [N], or None if they were not kept.
    """

    keys: pa.Array
    offsets: np.ndarray
    values: np.ndarray
    images: pa.Array
    image_files: tuple[ImageFile, ...]
    captions: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def num_labelled(self) -> int:
        """Samples that have at least one label."""
        return int(np.count_nonzero(np.diff(self.offsets)))

    def labels(self, row: int) -> np.ndarray:
        """uint32 class ids of one sample."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def image(self, row: int) -> tuple[ImageFile, ImageRef] | None:
        """Where one sample's image lies, or None if it has none."""
        found = self.images[row].as_py()
        if found is None:
            return None
        return self.image_files[found["file"]], ImageRef(found["file"], found["offset"], found["size"])

    def check(self, num_classes: int, where: str) -> None:
        """Raise LabelSetError unless every sample's labels rise, are unique and lie in 0 … num_classes-1."""
        if len(self.values) and int(self.values.max()) >= num_classes:
            most = int(self.values.max())
            raise LabelSetError(f"{where} holds class {most}; the vocabulary has {num_classes}. Build it again.")
        rises = np.diff(self.values.astype(np.int64)) > 0
        inner = self.offsets[1:-1]
        inner = inner[(inner > 0) & (inner < len(self.values))]
        rises[inner - 1] = True  # between two samples anything goes
        if not rises.all():
            raise LabelSetError(f"{where} has labels that are not sorted and unique. Build it again.")

    def to_bytes(self, vocabulary_digest: str) -> bytes:
        """The content of shards/NAME.parquet."""
        labels = pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), pa.array(self.values, pa.uint32()))
        columns = [self.keys, labels, self.images]
        if self.captions is not None:
            columns.append(self.captions)
        table = pa.Table.from_arrays(columns, names=schema.label_shard(self.captions is not None).names)
        return parquet.to_bytes(
            table.cast(schema.label_shard(self.captions is not None)),
            {
                schema.META_VOCABULARY: vocabulary_digest.encode(),
                schema.META_IMAGE_FILES: msgspec.json.encode(self.image_files),
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, vocabulary_digest: str, with_captions: bool, where: str) -> "LabelShard":
        """Read shards/NAME.parquet. Raises LabelSetError if it belongs to another vocabulary or is not whole."""
        table = parquet.from_bytes(data, schema.label_shard(with_captions), where)
        metadata = table.schema.metadata
        found = metadata.get(schema.META_VOCABULARY, b"").decode(errors="replace")
        if found != vocabulary_digest:
            raise LabelSetError(
                f"{where} was encoded with vocabulary {found or 'unknown'}, the label set's is {vocabulary_digest}. "
                "Run `catlip labels build` again."
            )
        labels = _one_chunk(table["labels"])
        try:
            image_files = tuple(_IMAGE_FILES.decode(metadata.get(schema.META_IMAGE_FILES, b"")))
        except (ValueError, RecursionError) as error:
            raise LabelSetError(
                f"{where} does not say in which files its images lie ({error}). Build it again."
            ) from error
        images = _one_chunk(table["image"])
        if wrong := _wrong_places(images, len(image_files)):
            raise LabelSetError(f"{where} points to {wrong}. Build it again.")
        return cls(
            keys=_one_chunk(table["key"]),
            offsets=labels.offsets.to_numpy().astype(np.int64),
            values=labels.values.to_numpy(zero_copy_only=False),
            images=images,
            image_files=image_files,
            captions=_one_chunk(table["captions"]) if with_captions else None,
        )


def labelled_rows(shard: LabelShard) -> np.ndarray:
    """int64 row numbers of the samples that have at least one label."""
    return np.flatnonzero(np.diff(shard.offsets))


def image_rows(shard: LabelShard) -> np.ndarray:
    """int64 row numbers of the samples that have an image."""
    return np.flatnonzero(pc.is_valid(shard.images).to_numpy(zero_copy_only=False))


def _wrong_places(images: pa.StructArray, num_files: int) -> str:
    """What of `images` (schema.IMAGE) cannot be, in words; "" if all can."""
    there = images.drop_null()
    files, offsets, sizes = (there.field(name).to_numpy() for name in schema.IMAGE.names)
    if len(there) and files.max() >= num_files:
        return f"image file {files.max()}, and lists {num_files}"
    return "bytes in front of a file" if min(offsets.min(initial=0), sizes.min(initial=0)) < 0 else ""


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
