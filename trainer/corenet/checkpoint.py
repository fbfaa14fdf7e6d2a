"""A checkpoint in the layout of the published code → the same weights under timm's names.

Shapes: D features, N = 14 x 14 positions, G positions a side at another resolution.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from labelshards.errors import CatlipError
from trainer.corenet.vit import HEAD_WIDTH, PATCH

_SIZES = {(768, 12): "ViT-B/16", (1024, 24): "ViT-L/16", (1280, 32): "ViT-H/16"}
_POSITIONS = "pos_embed.pos_embed.pos_embed"
_NDIMS = {"cls_token": 3, "classifier.weight": 2, _POSITIONS: 4}
_DROPPED = "neural_augmentor."
# What is in front of the last dot in CoreNet and in timm. Attention has two names for its last product: with flash
# attention and without.
_LAYERS = (
    (r"patch_emb\.([01])\.block\.conv", r"patch_embed.backbone.\1.conv"),
    (r"patch_emb\.([01])\.block\.norm", r"patch_embed.backbone.\1.bn"),
    (r"patch_emb\.2\.block\.conv", r"patch_embed.backbone.2.conv"),
    (r"transformer\.(\d+)\.pre_norm_mha\.0", r"blocks.\1.norm1"),
    (r"transformer\.(\d+)\.pre_norm_mha\.1\.qkv_proj", r"blocks.\1.attn.qkv"),
    (r"transformer\.(\d+)\.pre_norm_mha\.1\.out_proj(?:_attn)?", r"blocks.\1.attn.proj"),
    (r"transformer\.(\d+)\.pre_norm_ffn\.0", r"blocks.\1.norm2"),
    (r"transformer\.(\d+)\.pre_norm_ffn\.1", r"blocks.\1.mlp.fc1"),
    (r"transformer\.(\d+)\.pre_norm_ffn\.4", r"blocks.\1.mlp.fc2"),
    (r"post_transformer_norm", r"norm"),
    (r"classifier", r"head"),
)


class Arguments(NamedTuple):
    """What makes `catlip_vit` the model of a checkpoint."""

    embed_dim: int
    depth: int
    num_heads: int
    num_classes: int
    img_size: int

    @property
    def title(self) -> str:
        """The name that the paper has for this size."""
        return _SIZES.get((self.embed_dim, self.depth), f"a ViT {self.embed_dim} wide and {self.depth} deep")


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint file, nothing of which is run. Raises CatlipError if it is none."""
    if path.suffix == ".safetensors":
        raise CatlipError(
            f"{path} is safetensors, and CoreNet's checkpoints are .pt. A run or an exported folder needs no import: "
            "name it where a command asks for a MODEL."
        )
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how other files were pickled
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling raises whatever it meets; torch's own text says how to run the file
            raise CatlipError(
                f"{path} is no checkpoint of weights alone, or is damaged; nothing in it was run. Fetch it anew."
            ) from error
    if not isinstance(found, dict) or not all(isinstance(name, str) and _is_whole(found[name]) for name in found):
        raise CatlipError(
            f"{path} holds more than weights by name; the published checkpoints hold nothing else. Give one of those."
        )
    return found


def _is_whole(value: object) -> bool:
    """True of a tensor whose numbers all stand in the file: not one that repeats a few, or has none."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return value.untyped_storage().nbytes() >= value.numel() * value.element_size()


def arguments(state: Mapping[str, torch.Tensor], image_size: int) -> Arguments:
    """The architecture that a CoreNet state is of. Raises CatlipError if it is no ViT, or has no such resolution."""
    for name, ndim in _NDIMS.items():
        if name not in state or state[name].ndim != ndim or not state[name].numel():
            raise CatlipError(
                f"This is no ViT of CoreNet for classification: it has no {name} of {ndim} dimensions. "
                "Give a checkpoint of CatLIP."
            )
    width, num_classes = state["cls_token"].shape[-1], len(state["classifier.weight"])
    if width % HEAD_WIDTH or image_size % PATCH:
        what = f"{width} features" if width % HEAD_WIDTH else f"--image-size {image_size}"
        whole = HEAD_WIDTH if width % HEAD_WIDTH else PATCH
        raise CatlipError(f"{what} is no multiple of {whole}.")
    depth = len({name.split(".")[1] for name in state if name.startswith("transformer.")})
    return Arguments(
        embed_dim=width, depth=depth, num_heads=width // HEAD_WIDTH, num_classes=num_classes, img_size=image_size
    )


def to_timm(state: Mapping[str, torch.Tensor], image_size: int) -> dict[str, torch.Tensor]:
    """CoreNet's state under timm's names, in float32, for pictures of `image_size`.

    Raises CatlipError for a tensor that is no part of it.
    """
    found = {}
    for name, tensor in state.items():
        if name == _POSITIONS:
            found["pos_embed"] = _positions(tensor, (image_size // PATCH) ** 2)
        elif name == "cls_token":
            found[name] = tensor.float()
        elif not name.startswith(_DROPPED):
            found[_renamed(name)] = tensor.float() if tensor.is_floating_point() else tensor
    return found


def _positions(table_11ND: torch.Tensor, count: int) -> torch.Tensor:
    """[1, G², D]: CoreNet resizes positions along their sequence, row after row, and not in the plane."""
    table_1DN = table_11ND[0].float().transpose(1, 2)
    if table_1DN.shape[-1] != count:
        table_1DN = F.interpolate(table_1DN, size=count, mode="linear")
    return table_1DN.transpose(1, 2).contiguous()


def _renamed(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    for pattern, replacement in _LAYERS:
        if found := re.fullmatch(pattern, layer):
            return f"{found.expand(replacement)}.{kind}"
    raise CatlipError(f"{name} is no part of CoreNet's ViT for classification.")
