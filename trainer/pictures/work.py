"""What is computed of each picture, and the loop that does it: units → tables of rows, part by part.

Shapes: B pictures of S x S pixels.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import torch

from labelshards import storage
from trainer import workers
from trainer.encoders.encoder import Encoder
from trainer.pictures.reading import Batch, PictureBatches
from trainer.pictures.units import PICTURES_PER_PART, Place, Unit

# (source, key) names a picture; `size` bytes at `offset` of the source, or of the file source/key, are its own.
ROW = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("problem", pa.string()),
    ]
)
_BATCH_SIZE = 128
_VERSION = 1  # raise it when the same weights, settings and pictures give other rows


@dataclass(frozen=True, kw_only=True)
class Work:
    """columns: what is computed of pictures, beside ROW. settings: what decides about it, beside the encoder.

    compute: normalised float32 [B, 3, S, S] on the encoder's device → one array of B rows for each of `columns`.
    """

    encoder: Encoder
    columns: pa.Schema
    settings: dict[str, Any]
    compute: Callable[[torch.Tensor], Sequence[pa.Array]]

    @property
    def schema(self) -> pa.Schema:
        """Of a part."""
        return pa.schema([*ROW, *self.columns])

    def digest(self, unit: Unit) -> str:
        """Identity of the rows of a unit."""
        settings = msgspec.json.encode(self.settings, order="deterministic").decode()
        return storage.digest(f"{_VERSION} {self.encoder.digest} {settings} {self.schema} {unit.identity}".encode())


class Part(NamedTuple):
    """Rows of pictures that follow each other in a unit: part `number`, from 0, of so many. damage: of the unit."""

    unit: Unit
    number: int
    of: int
    table: pa.Table
    damage: str | None


class _Task(NamedTuple):
    """A batch; `after`: the bytes of all units up to its end. is_last: of its part."""

    unit: Unit
    number: int
    of: int
    places: list[Place]
    damage: str | None
    after: int
    is_last: bool


@torch.inference_mode()
def parts(
    work: Work, units: Iterable[tuple[Unit, Collection[int]]], report: Callable[[int, int], None]
) -> Iterator[Part]:
    """Compute the parts of `units`, but for those whose numbers are given. report(bytes, pictures) is told how far.

    Batches are read ahead by worker processes, over the borders of parts and units.
    """
    work.encoder.model.to(work.encoder.device)
    ahead: deque[_Task] = deque()  # batches come back in the order in which they went out

    def places() -> Iterator[list[Place]]:
        for task in _tasks(units):
            ahead.append(task)
            yield task.places

    pictures = 0
    rows: list[pa.Table] = []
    data = PictureBatches(picture=work.encoder.picture)
    for batch in workers.parallel(data, places(), work.encoder.device):
        task = ahead.popleft()
        rows.append(_rows(work, task.places, batch))
        pictures += len(task.places)
        report(task.after, pictures)
        if task.is_last:
            yield Part(task.unit, task.number, task.of, pa.concat_tables(rows).combine_chunks(), task.damage)
            rows = []


def _tasks(units: Iterable[tuple[Unit, Collection[int]]]) -> Iterator[_Task]:
    before = 0
    for unit, done in units:
        places, damage = unit.list()
        count = max(1, -(-len(places) // PICTURES_PER_PART))  # a unit without pictures has a part, too, which says so
        for number in range(count):
            if number in done:
                continue
            own = places[number * PICTURES_PER_PART : (number + 1) * PICTURES_PER_PART]
            for start in range(0, max(1, len(own)), _BATCH_SIZE):
                end = start + _BATCH_SIZE
                share = (number * PICTURES_PER_PART + end) / max(1, len(places))
                after = before + round(unit.size * min(1.0, share))
                yield _Task(unit, number, count, own[start:end], damage, after, end >= len(own))
        before += unit.size


def _rows(work: Work, places: Sequence[Place], batch: Batch) -> pa.Table:
    """Rows of all pictures; what was computed is null where a picture has a problem."""
    readable = np.array([problem is None for problem in batch.problems], bool)
    columns = [
        pa.array([place.source for place in places], pa.string()),
        pa.array([place.key for place in places], pa.string()),
        pa.array([place.ref.offset for place in places], pa.int64()),
        pa.array([place.ref.size for place in places], pa.int64()),
        pa.array(batch.problems, pa.string()),
    ]
    if readable.any():
        images_BCHW = batch.images_BCHW[torch.from_numpy(readable)].to(work.encoder.device)
        computed = work.compute(work.encoder.picture.to_input(images_BCHW))
        # Null where nothing was computed, and so is what `take` finds there.
        at = pa.array(np.cumsum(readable) - 1, pa.int64(), mask=~readable)
        columns += [array.take(at) for array in computed]
    else:
        columns += [pa.nulls(len(places), each.type) for each in work.columns]
    return pa.Table.from_arrays(columns, schema=work.schema)
