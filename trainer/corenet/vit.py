"""The ViT of the published code, made of timm's own parts and known to timm as `catlip_vit`.

Its stem is three convolutions of which the first is padded by 1. timm's `vit_base_mci_224` is the same but for that one
pixel, which no kernel of its own could make up for: a window of four pixels would have to begin one pixel earlier.
timm's ConvStem takes the padding as an argument, so nothing is subclassed; import this module, and timm has the model.

Other traits: no position for the class token, LayerNorm with 1e-6, heads of 64, pictures in [0, 1], no mean and std.
"""

from functools import partial
from typing import Any

from timm.layers.hybrid_embed import HybridEmbed
from timm.models import VisionTransformer, build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer_hybrid import ConvStem
from torch import nn

NAME = "catlip_vit"
HEAD_WIDTH = 64
PATCH = 16

default_cfgs = generate_default_cfgs(
    {
        f"{NAME}.untrained": {
            "input_size": (3, 224, 224),
            "fixed_input_size": True,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "first_conv": "patch_embed.backbone.0.conv",
            "classifier": "head",
        }
    }
)


@register_model
def catlip_vit(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:  # noqa: ANN401  (timm's form)
    """ViT-B/16; `embed_dim`, `depth` and `num_heads` make others of it. For one size: that of `img_size`."""
    if kwargs.pop("dynamic_img_size", None):
        raise TypeError(f"{NAME} takes no dynamic_img_size: its positions stretch along the sequence, not in the plane")
    width = kwargs.setdefault("embed_dim", 768)
    stem = ConvStem(
        in_chans=kwargs.get("in_chans", 3),
        channels=(width // 4, width // 4, width),
        kernel_size=(4, 2, 2),
        stride=(4, 2, 2),
        padding=(1, 0, 0),
        act_layer=nn.GELU,
    )
    return build_model_with_cfg(
        VisionTransformer,
        NAME,
        pretrained,
        embed_layer=partial(HybridEmbed, backbone=stem, proj=False),
        patch_size=1,
        no_embed_class=True,
        **{"depth": 12, "num_heads": width // HEAD_WIDTH, **kwargs},
    )
