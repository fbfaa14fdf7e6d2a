"""Pixels of pictures that were tagged, read again from where they lie."""

import io
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile, ImageReader, ImageRef
from trainer import transforms
from trainer.tagging.picking import Tagged

_QUALITY = 72


class Album:
    """moved: prefixes of URIs, and where the files lie now. held: pictures that came through stdin, by source."""

    def __init__(self, moved: dict[str, str], held: dict[str, bytes]) -> None:
        self._reader = ImageReader(moved=moved)
        self._held = held
        self._size = cache(self._size_of)  # of this album: a cache of the class would keep all albums

    def pixels(self, picture: Tagged) -> torch.Tensor | None:
        """uint8 [3, H, W]; None if it is not there any more."""
        try:
            return transforms.decode(self._read(picture))
        except (CatlipError, OSError):
            return None

    def thumbnail(self, picture: Tagged, side: int) -> bytes | None:
        """A WebP whose longer side has at most `side` pixels; None if the picture is not there any more."""
        pixels_CHW = self.pixels(picture)
        if pixels_CHW is None:
            return None
        scale = min(1.0, side / max(pixels_CHW.shape[1:]))
        size = [max(1, round(length * scale)) for length in pixels_CHW.shape[1:]]
        small_CHW = F.interpolate(pixels_CHW[None].contiguous(), size, mode="bicubic", antialias=True)[0]
        buffer = io.BytesIO()
        pixels_HWC = np.ascontiguousarray(small_CHW.permute(1, 2, 0).numpy())
        Image.fromarray(pixels_HWC).save(buffer, "WEBP", quality=_QUALITY, method=4)
        return buffer.getvalue()

    def _read(self, picture: Tagged) -> bytes:
        if picture.source in self._held:
            return self._held[picture.source]
        # A member of a tar lies behind its header, a picture of its own at the start of its file.
        uri = picture.source if picture.offset else storage.join(picture.source, picture.key)
        ref = ImageRef(0, picture.offset, picture.size)
        return self._reader.read(ImageFile(uri=uri, bytes=self._size(uri)), ref, picture.key)

    def _size_of(self, uri: str) -> int:
        where = self._reader.locate(uri)
        fs, path = storage.filesystem(where)
        with storage.told(where):
            return int(fs.info(path)["size"])
