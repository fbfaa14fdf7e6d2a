"""Stage 2: a label set and its pictures become an image encoder, and probes tell what it learned.

Knows labels only as class ids read through `labelshards`; nothing here parses a caption.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.encoders.encoder import Encoder


def load_encoder(model: str | Path, *, best: bool = False, device: str = "cpu") -> "Encoder":
    """The frozen encoder of a run or of an exported folder, or a model of timm with its own weights.

    best: of a run, its best checkpoint and not its newest. Raises CatlipError if `model` is none of them.
    """
    import torch

    from trainer.opening import PRETRAINED, open_model  # not above: loader processes import this package, and no timm

    encoder = open_model(str(model), PRETRAINED, torch.device(device), best=best).encoder
    encoder.model.to(encoder.device)
    return encoder
