"""What makes an encoder faster or smaller in memory without making it another one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from labelshards.errors import CatlipError


def recompute(model: nn.Module) -> None:
    """Keep no activations of blocks for the backward pass; compute them again (activation checkpointing)."""
    try:
        model.set_grad_checkpointing(True)  # type: ignore[operator]
    except (AttributeError, AssertionError) as error:
        raise CatlipError("This encoder cannot recompute activations. Try --set loop.recompute=false.") from error


def compile_encoder(model: nn.Module, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch.compile make one graph for all resolutions and batch sizes.

    Of a ViT it gets the blocks as a whole, which see only numbers of tokens: what comes before them depends on the
    resolution itself and would be compiled for each. Compiled one by one, blocks would share a cache in which each
    drop-path rate is an entry, and soon too many.
    """
    blocks = getattr(model, "blocks", None)
    owner, name = (blocks, "forward") if isinstance(blocks, nn.Sequential) else (model, "forward_features")
    setattr(owner, name, torch.compile(getattr(owner, name), dynamic=True, backend=backend))
