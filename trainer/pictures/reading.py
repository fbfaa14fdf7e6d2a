"""Places of pictures → batches of what an encoder sees, in any process.

Shapes: B pictures of S x S pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from labelshards.errors import CatlipError
from labelshards.images import ImageReader
from trainer import transforms
from trainer.encoders.encoder import PictureInput
from trainer.pictures.units import Place

CANNOT_BE_OPENED = "cannot be opened"


class Batch(NamedTuple):
    """images_BCHW: uint8 [B, 3, S, S], black where there is a problem. problems: of each picture, or None."""

    images_BCHW: torch.Tensor
    problems: list[str | None]


@dataclass(frozen=True, kw_only=True)
class PictureBatches(Dataset[Batch]):
    """Places → their pictures as a batch."""

    picture: PictureInput

    def __getitem__(self, places: Sequence[Place]) -> Batch:
        """Whatever is wrong with a picture is its own problem, and no error."""
        size = self.picture.image_size
        images_BCHW = torch.zeros((len(places), 3, size, size), dtype=torch.uint8)
        problems = [place.problem or self._read(place, images_BCHW[b]) for b, place in enumerate(places)]
        return Batch(images_BCHW, problems)

    def _read(self, place: Place, into_CHW: torch.Tensor) -> str | None:
        try:
            into_CHW.copy_(self.picture.crop(transforms.decode(self.bytes_of(place))))
        except transforms.BrokenImageError as error:
            return error.reason
        except (OSError, CatlipError):
            return CANNOT_BE_OPENED
        return None

    def bytes_of(self, place: Place) -> bytes:
        """A picture as it is stored. Raises CatlipError or OSError if it is not what was listed."""
        return self._reader.read(place.file, place.ref, place.key) if place.data is None else place.data

    @cached_property
    def _reader(self) -> ImageReader:
        return ImageReader()
