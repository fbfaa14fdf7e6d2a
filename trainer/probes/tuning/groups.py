"""Which rate each parameter has: layer decay, and no weight decay for what has one dimension."""

from collections.abc import Iterable
from typing import Any

from timm.optim._param_groups import param_groups_layer_decay
from torch import nn

from trainer.probes.tuning.settings import Tuning


def of_encoder(encoder: nn.Module, settings: Tuning) -> list[dict[str, Any]]:
    """Groups for AdamW of an encoder of timm; `lr_scale` is a group's share of the rate, 1 at the head."""
    groups: list[dict[str, Any]] = param_groups_layer_decay(
        encoder, weight_decay=settings.weight_decay, layer_decay=settings.layer_decay
    )
    return groups


def of_new(parameters: Iterable[nn.Parameter], settings: Tuning) -> list[dict[str, Any]]:
    """Groups of what is new, at the full rate."""
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay, "lr_scale": 1.0},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "lr_scale": 1.0},
    ]
