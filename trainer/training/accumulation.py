"""A batch in parts, for steps that do not fit the device at once.

Shapes: B samples, P positives (labels) of the whole batch.
"""

from collections.abc import Iterator

from labelshards.errors import CatlipError
from trainer.stream.batch import Batch


def split(batch: Batch, num_parts: int) -> Iterator[Batch]:
    """`num_parts` batches of consecutive samples, as equal as can be; none is empty where there are so many."""
    size = len(batch.images_BCHW)
    for part in range(num_parts):
        start, stop = part * size // num_parts, (part + 1) * size // num_parts
        first, last = batch.offsets[start], batch.offsets[stop]
        yield Batch(
            images_BCHW=batch.images_BCHW[start:stop],
            flips_B=batch.flips_B[start:stop],
            values_P=batch.values_P[first:last],
            offsets=batch.offsets[start : stop + 1] - first,
            tokens_BT=batch.tokens_BT[start:stop],
            bad=(),
        )


def check(num_parts: int, batch_size: int, world_size: int) -> None:
    """Raise CatlipError if a process has fewer samples of a step than parts."""
    if num_parts > batch_size // world_size:
        raise CatlipError(
            f"loop.accumulate = {num_parts} is more than the {batch_size // world_size} samples that each of "
            f"{world_size} processes has in a step. Lower it, or raise plan.batch_size."
        )
