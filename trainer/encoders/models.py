"""The encoder: any backbone of timm with a linear head over the vocabulary.

Shapes: B images, D features, K classes.
"""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
import timm
import torch
from torch import nn

from labelshards.errors import CatlipError

_HEAD_STD = 0.02
_FLOAT16_MAX = torch.finfo(torch.float16).max
# What timm is told by other settings than model.kwargs.
_FIXED = ("dynamic_img_size", "img_size", "num_classes", "pretrained")

Channels = tuple[float, float, float]
Deviation = Annotated[float, msgspec.Meta(gt=0)]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[model]`: which encoder, and what it takes.

    name: a model of timm. image_size: pixels a side. kwargs: handed to timm as they are (`depth`, `patch_size`,
    `drop_path_rate`, …). mean, std: of pixels in [0, 1], per channel.
    """

    name: str = "vit_base_patch16_224"
    image_size: Annotated[int, msgspec.Meta(ge=1)] = 224
    kwargs: dict[str, Any] = {}
    mean: Channels = (0.5, 0.5, 0.5)
    std: tuple[Deviation, Deviation, Deviation] = (0.5, 0.5, 0.5)


def build(config: ModelConfig, num_classes: int) -> nn.Module:
    """The encoder with fresh weights, drawn from torch's global generator.

    Raises CatlipError if timm does not know the name (with the nearest ones) or cannot build it so.
    """
    return _create(config, num_classes)[0]


def timm_arguments(config: ModelConfig) -> dict[str, Any]:
    """What `build` hands to timm's `create_model` beside name and number of classes."""
    with torch.device("meta"):
        return _create(config, num_classes=1)[1]


def _create(config: ModelConfig, num_classes: int) -> tuple[nn.Module, dict[str, Any]]:
    if not timm.is_model(config.name):
        near = difflib.get_close_matches(config.name, timm.list_models(), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ". `timm.list_models()` lists them."
        raise CatlipError(f"model.name: timm has no model {config.name!r}{hint}")
    if taken := sorted(set(config.kwargs) & set(_FIXED)):
        raise CatlipError(f"model.kwargs.{taken[0]} is set by catlip itself; the size is model.image_size.")
    # ViTs take any size, other transformers the one they are made for, and convolutional networks are not told.
    sizes: tuple[dict[str, Any], ...] = (
        {"img_size": config.image_size, "dynamic_img_size": True},
        {"img_size": config.image_size},
        {},
    )
    for size in sizes:
        arguments = size | config.kwargs
        try:
            model: nn.Module = timm.create_model(config.name, pretrained=False, num_classes=num_classes, **arguments)
            break
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            # If all that it does not take is how the size is said, the next way may do.
            if not (size and isinstance(error, TypeError) and any(name in str(error) for name in size)):
                raise CatlipError(f"model.name = {config.name!r} cannot be built with model.kwargs: {error}") from error
    if not isinstance(_classifier(model), nn.Linear):
        raise CatlipError(f"model.name = {config.name!r} has no single linear head. Take another model of timm.")
    return model, arguments


def head(model: nn.Module) -> nn.Linear:
    """The classifier of a model that `build` made."""
    found = _classifier(model)
    assert isinstance(found, nn.Linear), "build() refuses others"
    return found


def _classifier(model: nn.Module) -> object:
    return model.get_classifier()  # type: ignore[operator]


def init_head(model: nn.Module, bias_K: np.ndarray) -> None:
    """Start the classifier at `bias_K`, which says how frequent classes are: training need not begin by learning that.

    Weights are truncated normal (0.02, as in the paper).
    """
    nn.init.trunc_normal_(head(model).weight, std=_HEAD_STD)
    with torch.no_grad():
        head(model).bias.copy_(torch.from_numpy(bias_K))


def patch_sides(model: nn.Module) -> tuple[int, int] | None:
    """Pixels of a patch, down and across; None for an encoder that does not cut pictures into patches at once."""
    found: int | tuple[int, int] | None = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    return (found, found) if isinstance(found, int) else found


def check_sizes(model: nn.Module, image_sizes: Sequence[int]) -> None:
    """Raise CatlipError if the encoder cannot take pictures of one of these sizes."""
    patch = patch_sides(model)
    if patch is None:
        return  # convolutions take any size
    own: tuple[int, int] | None = getattr(model.patch_embed, "img_size", None) if has_fixed_size(model) else None
    for size in image_sizes:
        if own and (size, size) != tuple(own):
            raise CatlipError(f"This encoder takes pictures of {own[0]} pixels a side, not of {size}. Ask for those.")
        if any(size % side for side in patch):
            raise CatlipError(
                f"{size} pixels a side are no multiple of the encoder's patches, which have {patch[0]}. Take "
                f"{max(1, round(size / patch[0])) * patch[0]}."
            )


def has_fixed_size(model: nn.Module) -> bool:
    """True if the encoder takes pictures of one size alone."""
    return bool(getattr(getattr(model, "patch_embed", None), "strict_img_size", False))


def features(model: nn.Module, x_BCHW: torch.Tensor) -> torch.Tensor:
    """float [B, D]: the pooled output in front of the head."""
    tokens = model.forward_features(x_BCHW)  # type: ignore[operator]
    pooled: torch.Tensor = model.forward_head(tokens, pre_logits=True)  # type: ignore[operator]
    return pooled


def half(features_BD: torch.Tensor) -> torch.Tensor:
    """float16 [B, D]: features as they are kept, the largest number that it has in the place of larger ones."""
    return features_BD.float().clamp(-_FLOAT16_MAX, _FLOAT16_MAX).half()
