"""Where features are taken out of an encoder.

Shapes: B pictures, D features, T patch tokens, of h x w.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.encoders.models import features

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
    with_class = getattr(model, "cls_token", None) is not None
    # Of a model without tokens beside the patches timm gives none, whatever it is asked for.
    final, blocks = model.forward_intermediates(  # type: ignore[operator]
        x_BCHW, indices=count, return_prefix_tokens=with_class, norm=True, output_fmt="NLC"
    )
    means = [(each[0] if with_class else each).mean(1) for each in reversed(blocks)]
    tokens = [prefix_BPD[:, 0] for _, prefix_BPD in reversed(blocks)] if with_class else means
    found = {BLOCKS: torch.cat([*tokens, means[0]], dim=1)}
    if POOLED in taps:
        found[POOLED] = model.forward_head(final, pre_logits=True)  # type: ignore[operator]
    return found


def patches(model: nn.Module, x_BCHW: torch.Tensor) -> torch.Tensor:
    """float [B, D, h, w]: the last block's normalised patch tokens, or the last map of a convolutional network.

    Raises CatlipError if the encoder does not give them.
    """
    if not hasattr(model, "forward_intermediates"):
        raise CatlipError("This encoder gives no patch features. Take another model of timm.")
    maps: list[torch.Tensor] = model.forward_intermediates(  # type: ignore[operator]
        x_BCHW, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return maps[-1]


def freeze_unused(model: nn.Module, use: Callable[[torch.Tensor], torch.Tensor], image_size: int) -> None:
    """Leave out of training what has no part in `use`, such as a head; processes that exchange gradients want that."""
    model.zero_grad()
    use(torch.zeros(2, 3, image_size, image_size)).sum().backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.requires_grad and parameter.grad is not None)
    model.zero_grad()


def num_blocks(model: nn.Module) -> int:
    """How many blocks BLOCKS takes. Raises CatlipError if the encoder is no ViT."""
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not hasattr(model, "patch_embed"):
        raise CatlipError("Protocol dinov2 takes the last blocks of a ViT; this encoder is none.")
    return min(MOST_BLOCKS, len(blocks))
