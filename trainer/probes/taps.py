"""Where features are taken out of an encoder.

Shapes: B pictures, D features, T patch tokens.
"""

from collections.abc import Sequence

import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.models import features

POOLED = "pooled"
BLOCKS = "blocks"
MOST_BLOCKS = 4


def tap(model: nn.Module, x_BCHW: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
    """Features by tap, in one pass.

    POOLED, float [B, D]: what stands in front of the head. BLOCKS, float [B, (n + 1) D]: the normalised class tokens of
    the last n = MOST_BLOCKS blocks (or of all), the last block first, then the mean of the last one's patch tokens; an
    encoder without a class token gives the mean of each block's patches in its place. Raises CatlipError if the encoder
    has no blocks.
    """
    if BLOCKS not in taps:
        return {POOLED: features(model, x_BCHW)}
    count = num_blocks(model)
    final, blocks = model.forward_intermediates(  # type: ignore[operator]
        x_BCHW, indices=count, return_prefix_tokens=True, norm=True, output_fmt="NLC"
    )
    with_class = getattr(model, "cls_token", None) is not None
    tokens = [prefix_BPD[:, 0] if with_class else patches_BTD.mean(1) for patches_BTD, prefix_BPD in reversed(blocks)]
    found = {BLOCKS: torch.cat([*tokens, blocks[-1][0].mean(1)], dim=1)}
    if POOLED in taps:
        found[POOLED] = model.forward_head(final, pre_logits=True)  # type: ignore[operator]
    return found


def num_blocks(model: nn.Module) -> int:
    """How many blocks BLOCKS takes. Raises CatlipError if the encoder is no ViT."""
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not hasattr(model, "patch_embed"):
        raise CatlipError("Protocol dinov2 takes the last blocks of a ViT; this encoder is none.")
    return min(MOST_BLOCKS, len(blocks))
