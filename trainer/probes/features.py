"""Features of an encoder on an image folder: computed once, kept as float16, mapped into memory when read.

Shapes: N pictures, D features; B pictures of a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xxhash
from torch import nn
from torch.utils.data import Dataset

from labelshards import storage
from trainer import transforms, workers
from trainer.models import ModelConfig, features
from trainer.probes.imagefolder import ImageFolder

_BATCH_SIZE = 256
_EXTRACTION_VERSION = 1  # part of the cache's name: raise it when the same weights and pictures give other features
_FLOAT16_MAX = 65504.0


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A frozen encoder, what it takes, and on which device it computes."""

    model: nn.Module
    config: ModelConfig
    device: torch.device

    @property
    def digest(self) -> str:
        """Identity of the weights and of the transform in front of them."""
        state = xxhash.xxh3_128(repr((_EXTRACTION_VERSION, self.config)).encode())
        for name, tensor in self.model.state_dict().items():
            state.update(name.encode())
            state.update(tensor.detach().cpu().contiguous().numpy())
        return state.hexdigest()


def extract(encoder: Encoder, folder: ImageFolder, cache: Path, report: Callable[[int], None]) -> np.ndarray:
    """float16 [N, D], mapped from the file in `cache` that holds them now; rows of broken pictures are NaN.

    `report` is told how many pictures are done. The head is not used: the encoder may have any.
    """
    path = cache / f"{storage.digest(f'{encoder.digest} {folder.digest}'.encode())}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with storage.whole_file(path) as temporary:
            _compute(encoder, folder, temporary, report)
    report(len(folder))
    mapped: np.ndarray = np.load(path, mmap_mode="r")
    return mapped


@torch.inference_mode()
def _compute(encoder: Encoder, folder: ImageFolder, path: Path, report: Callable[[int], None]) -> None:
    model = encoder.model.eval().to(encoder.device)
    pictures = _Pictures(folder=folder, size=encoder.config.image_size)
    num_workers = workers.worker_count("auto", encoder.device, 1)
    starts = range(0, len(folder), _BATCH_SIZE)
    table_ND: np.memmap | None = None
    for start, (images_BCHW, good_B) in zip(
        starts, workers.parallel(pictures, starts, num_workers=num_workers), strict=True
    ):
        x_BCHW = transforms.to_input(images_BCHW.to(encoder.device), encoder.config.mean, encoder.config.std)
        features_BD = features(model, x_BCHW).float().clamp(-_FLOAT16_MAX, _FLOAT16_MAX).half().cpu()
        features_BD[~good_B] = float("nan")
        if table_ND is None:
            shape = (len(folder), features_BD.shape[1])
            table_ND = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        table_ND[start : start + len(features_BD)] = features_BD.numpy()
        report(start + len(features_BD))
    assert table_ND is not None, "a split has pictures"
    table_ND.flush()


@dataclass(frozen=True, kw_only=True)
class _Pictures(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Start of a batch → (uint8 [B, 3, size, size], bool [B]: could be read)."""

    folder: ImageFolder
    size: int

    def __getitem__(self, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        paths = self.folder.paths[start : start + _BATCH_SIZE]
        images_BCHW = torch.zeros((len(paths), 3, self.size, self.size), dtype=torch.uint8)
        good_B = torch.ones(len(paths), dtype=torch.bool)
        for b, path in enumerate(paths):
            try:
                pixels_CHW = transforms.decode((self.folder.root / path).read_bytes())
                images_BCHW[b] = transforms.center_crop(pixels_CHW, self.size)
            except transforms.BrokenImageError:
                good_B[b] = False
        return images_BCHW, good_B
