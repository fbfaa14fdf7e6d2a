"""Features of an encoder on a split: computed once, kept as float16, mapped into memory when read.

Shapes: N pictures, D features; B pictures of a batch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import transforms, workers
from trainer.encoders import models
from trainer.encoders.encoder import Encoder, PictureInput
from trainer.probes.data.split import Pictures, Split
from trainer.probes.tables import DONE, FeatureTable, held
from trainer.probes.taps import POOLED, tap

BATCH_SIZE = 256
GONE = "not found where it was"
REASONS = (*transforms.REASONS, GONE)
UNREADABLE = (transforms.BrokenImageError, OSError, CatlipError)  # what reading and decoding a picture may raise


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """tables: float16 [N, D] by tap, mapped from files. rows: int64, those of readable pictures. broken: the others."""

    tables: dict[str, np.ndarray]
    rows: np.ndarray
    broken: Counter[str]


def extract(
    encoder: Encoder, split: Split, cache: Path, report: Callable[[int], None], taps: Sequence[str] = (POOLED,)
) -> Extracted:
    """The features of a split, out of the files in `cache` that hold them, or hold them now.

    What was computed before an interruption is kept. `report` is told how many pictures are done. The head is not used:
    the encoder may have any.
    """
    name = f"{encoder.digest} {split.pictures.digest}"

    def open_tables() -> dict[str, FeatureTable]:
        files = {each: cache / storage.digest(f"{name} {each}".encode()) for each in taps}
        return {each: FeatureTable.open(file, len(split)) for each, file in files.items()}

    tables = open_tables()
    if not all(table.is_complete for table in tables.values()):
        cache.mkdir(parents=True, exist_ok=True)
        with held(cache / f"{storage.digest(name.encode())}.lock"):
            tables = open_tables()  # another process may have filled them since
            missing = {each: table for each, table in tables.items() if not table.is_complete}
            if missing:
                _compute(encoder, split.pictures, missing, report)
    report(len(split))
    codes_N = next(iter(tables.values())).status()
    return Extracted(
        tables={each: table.features() for each, table in tables.items()},
        rows=np.flatnonzero(codes_N == DONE),
        broken=broken_of(codes_N),
    )


@torch.inference_mode()
def _compute(
    encoder: Encoder, pictures: Pictures, tables: dict[str, FeatureTable], report: Callable[[int], None]
) -> None:
    model = encoder.model.eval().to(encoder.device)
    first = min(table.num_done for table in tables.values())  # tables that are ahead get some rows again, the same
    starts = range(first, len(pictures), BATCH_SIZE)
    data = Cropped(pictures=pictures, picture=encoder.picture)
    try:
        for start, (images_BCHW, codes_B) in zip(starts, workers.parallel(data, starts, encoder.device), strict=True):
            x_BCHW = encoder.picture.to_input(images_BCHW.to(encoder.device))
            for each, features_BD in tap(model, x_BCHW, tuple(tables)).items():
                tables[each].write(start, models.half(features_BD).cpu().numpy(), codes_B.numpy())
            report(start + len(codes_B))
    finally:
        for table in tables.values():
            table.close()


@dataclass(frozen=True, kw_only=True)
class Cropped(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Start of a batch → (uint8 [B, 3, size, size], int8 [B]: DONE, or DONE + 1 + the place of a reason)."""

    pictures: Pictures
    picture: PictureInput

    def __getitem__(self, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.picture.image_size
        numbers = range(start, min(start + BATCH_SIZE, len(self.pictures)))
        images_BCHW = torch.zeros((len(numbers), 3, size, size), dtype=torch.uint8)
        codes_B = torch.full((len(numbers),), DONE, dtype=torch.int8)
        for b, number in enumerate(numbers):
            try:
                images_BCHW[b] = self.picture.crop(transforms.decode(self.pictures.read(number)))
            except UNREADABLE as error:
                codes_B[b] = DONE + 1 + REASONS.index(reason_of(error))  # which `broken_of` reads
        return images_BCHW, codes_B


def reason_of(error: Exception) -> str:
    """Which of REASONS an error of UNREADABLE means."""
    return error.reason if isinstance(error, transforms.BrokenImageError) else GONE


def broken_of(codes_N: np.ndarray) -> Counter[str]:
    """How many pictures have each reason, by the codes of `Cropped`; without reasons that none has."""
    return +Counter({reason: int(np.sum(codes_N == DONE + 1 + code)) for code, reason in enumerate(REASONS)})


def check_any_read(num_read: int, split: str, broken: Counter[str]) -> None:
    """Raise CatlipError if no picture of a split could be read, and say why."""
    if not num_read:
        why = ", ".join(f"{count:,} {reason}" for reason, count in broken.items())
        raise CatlipError(f"No picture of the {split} split can be read ({why}).")
