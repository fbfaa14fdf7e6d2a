"""Image towers of open_clip as encoders: `open_clip:ViT-B-32`. Their text towers are not used.

Shapes: B pictures, D features, K classes.
"""

from typing import Any

import torch
from torch import nn

from labelshards.errors import CatlipError

PREFIX = "open_clip:"
_NAMED_TAGS = 5


class ClipTower(nn.Module):
    """open_clip's own image towers, asked as models of timm are: pooled features in front of the projection."""

    def __init__(self, visual: nn.Module, num_features: int) -> None:
        super().__init__()
        self.visual = visual
        self.num_features = num_features
        self.head: nn.Module = nn.Identity()

    def forward_features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """float [B, D]: pooled already, as the tower's own forward pass ends."""
        pooled: torch.Tensor = self.visual(x_BCHW)
        return pooled

    def forward_head(self, pooled_BD: torch.Tensor, *, pre_logits: bool = False) -> torch.Tensor:
        """float [B, K], or the features themselves."""
        logits: torch.Tensor = pooled_BD if pre_logits else self.head(pooled_BD)
        return logits

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """float [B, K], as of any model of timm."""
        return self.forward_head(self.forward_features(x_BCHW))

    def forward_intermediates(
        self, x_BCHW: torch.Tensor, *, indices: int, norm: bool, **_: object
    ) -> list[torch.Tensor]:
        """float [B, D, h, w] of the last `indices` blocks or stages."""
        found: dict[str, list[torch.Tensor]] = self.visual.forward_intermediates(  # type: ignore[operator]
            x_BCHW, indices=indices, normalize_intermediates=norm, intermediates_only=True
        )
        return found["image_intermediates"]

    def reset_classifier(self, num_classes: int) -> None:
        """Put a new head on the features."""
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head

    def group_matcher(self, *, coarse: bool = False) -> dict[str, Any]:
        """Which layer a parameter belongs to, for layer decay."""
        if coarse:
            raise NotImplementedError("Only the layers one by one are known.")
        return {
            "stem": r"^visual\.(?:conv|bn|class_embedding|positional_embedding|ln_pre)",
            "blocks": [
                (r"^visual\.transformer\.resblocks\.(\d+)", None),
                (r"^visual\.layer(\d+)\.(\d+)", None),
                (r"^visual\.(?:ln_post|attn_pool|attnpool)", (99999,)),
            ],
        }


def open_tower(name: str, weights: str | None) -> tuple[nn.Module, dict[str, Any]]:
    """(image tower, its `preprocess_cfg`: size, mean, std) of a model of open_clip.

    weights: None for random ones, a checkpoint file, or one of open_clip's tags, which it fetches. Features are those
    in front of the projection into the space that pictures share with texts, as in CLIP's linear probes. Raises
    CatlipError for what open_clip does not know or cannot load.
    """
    import open_clip

    if name not in open_clip.list_models():
        near = [each for each in open_clip.list_models() if each.lower().startswith(name.lower()[:5])][:3]
        hint = f"; there are {', '.join(near)}" if near else ""
        raise CatlipError(f"open_clip has no model {name}{hint}. `open_clip.list_models()` lists them.")
    try:
        model: Any = open_clip.create_model(name, pretrained=weights, pretrained_text=False)
    except Exception as error:  # the hub's client, unpickling and open_clip itself raise a dozen types
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise CatlipError(f"open_clip cannot make {name} with weights {weights}: {first}.") from error
    visual = model.visual
    return _tower(visual), open_clip.get_model_preprocess_cfg(model)


def tags(name: str) -> str:
    """The names of open_clip's weights for a model, for a person to choose from."""
    import open_clip

    found = open_clip.list_pretrained_tags_by_model(name)
    more = f" and {len(found) - _NAMED_TAGS} more" if len(found) > _NAMED_TAGS else ""
    return f"{', '.join(found[:_NAMED_TAGS])}{more}" if found else "none"


def _tower(visual: nn.Module) -> nn.Module:
    trunk = getattr(visual, "trunk", None)
    projections = {"proj", "drop", "mlp"}
    if isinstance(trunk, nn.Module) and set(dict(visual.head.named_children())) <= projections:  # type: ignore[union-attr]
        return trunk  # a model of timm, and a projection behind it
    if isinstance(trunk, nn.Module):
        raise CatlipError(
            "This tower of open_clip pools in a layer of its own; probes cannot take it. Take another one."
        )
    if isinstance(getattr(visual, "proj", None), nn.Parameter):
        width = visual.proj.shape[0]  # type: ignore[index]
        visual.register_parameter("proj", None)
        return ClipTower(visual, int(width))
    return ClipTower(visual, int(visual.output_dim))  # type: ignore[arg-type]
