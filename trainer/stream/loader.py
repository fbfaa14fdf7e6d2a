"""Plan + label sets → batches, in this process or in workers, the same bytes either way."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
import numpy as np

from trainer.stream.batch import Batch
from trainer.stream.pool import pooled
from trainer.stream.prefetch import Prefetch
from trainer.stream.reader import StepReader


class DataConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[data]`: how pictures become batches.

    min_scale: the smallest share of a picture's area that a random crop keeps. num_workers: processes per rank that
    decode; 0 decodes in the training process; "auto" takes 0 on a CPU, where they would compete with the step, and
    this rank's share of the cores on a GPU. max_bad_fraction: training stops when more of the pictures are broken.
    cache, cache_gib: folder into which remote tars are fetched as a whole, and how much it may hold; without a folder
    a temporary one.
    """

    min_scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.08
    num_workers: Annotated[int, msgspec.Meta(ge=0)] | Literal["auto"] = "auto"
    max_bad_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    cache: str | None = None
    cache_gib: Annotated[float, msgspec.Meta(gt=0)] = 50.0


def batches(reader: StepReader, steps: range, *, num_workers: int, pin_memory: bool) -> Iterator[Batch]:
    """The batches of `steps`, in order; one is valid until the next is asked for.

    Raises the CatlipError that reading one of them met.
    """
    source = pooled(reader, steps, num_workers=num_workers) if num_workers else _alone(reader, steps)
    prefetch = Prefetch(reader, steps) if reader.samples.cache else None
    try:
        for step, batch in zip(steps, source, strict=True):
            if prefetch:
                prefetch.reached(step)
            yield batch.pin_memory() if pin_memory else batch
    finally:
        if prefetch:
            prefetch.stop()


def _alone(reader: StepReader, steps: range) -> Iterator[Batch]:
    for step in steps:
        room = reader.room(step, np.empty(reader.most_bytes(), dtype=np.uint8))
        yield Batch.of(room, [reader.read(step, room)])
