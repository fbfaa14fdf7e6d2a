"""Image towers of open_clip as encoders: `open_clip:ViT-B-32`, with the text towers that came with them.

Shapes: B pictures, N texts, D features, K classes, E numbers of an embedding.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from labelshards.errors import CatlipError, first_line
from trainer.objectives.texts import TEXTS_AT_ONCE, TextSide

_NAMED_TAGS = 5

# float32 features [B, D] → [B, E], on the CPU.
Projection = Callable[[torch.Tensor], torch.Tensor]


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
        """Which layer a parameter belongs to, for layer decay; the same whether coarse or not, as for timm's ViTs."""
        return {
            "stem": r"^visual\.(?:conv|bn|class_embedding|positional_embedding|ln_pre)",
            "blocks": [
                (r"^visual\.transformer\.resblocks\.(\d+)", None),
                (r"^visual\.layer(\d+)\.(\d+)", None),
                (r"^visual\.(?:ln_post|attn_pool|attnpool)", (99999,)),  # timm's mark of what belongs to the last layer
            ],
        }


class ClipModel(NamedTuple):
    """A model of open_clip. image: as models of timm are. preprocess: its `preprocess_cfg` (size, mean, std)."""

    image: nn.Module
    preprocess: dict[str, Any]
    texts: TextSide


def open_towers(name: str, weights: str | None) -> ClipModel:
    """A model of open_clip in eval mode, frozen.

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
        raise CatlipError(f"open_clip cannot make {name} with weights {weights}: {first_line(error)}.") from error
    model.eval().requires_grad_(False)
    image, projection = _tower(model.visual)
    return ClipModel(image, open_clip.get_model_preprocess_cfg(model), _texts(name, model, projection))


def _texts(name: str, model: Any, projection: Projection) -> TextSide:  # noqa: ANN401  (open_clip has no types)
    @cache
    def tokenizer() -> Any:  # noqa: ANN401
        import open_clip

        try:
            return open_clip.get_tokenizer(name)
        except Exception as error:  # as above; most tokenizers lie on the hub
            raise CatlipError(f"open_clip has no tokenizer for {name} here: {first_line(error)}.") from error

    @torch.no_grad()
    def embed(texts: Sequence[str]) -> torch.Tensor:
        pieces = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
        return torch.cat([model.encode_text(tokenizer()(list(piece)), normalize=True).float() for piece in pieces])

    @torch.no_grad()
    def project(features_BD: torch.Tensor) -> torch.Tensor:
        return F.normalize(projection(features_BD), dim=-1)

    return TextSide(embed=embed, project=project)


def tags(name: str) -> str:
    """The names of open_clip's weights for a model, for a person to choose from."""
    import open_clip

    found = open_clip.list_pretrained_tags_by_model(name)
    more = f" and {len(found) - _NAMED_TAGS} more" if len(found) > _NAMED_TAGS else ""
    return f"{', '.join(found[:_NAMED_TAGS])}{more}" if found else "none"


def _tower(visual: nn.Module) -> tuple[nn.Module, Projection]:
    """(what gives features, what projects them into the space of texts)."""
    trunk = getattr(visual, "trunk", None)
    projections = {"proj", "drop", "mlp"}
    if isinstance(trunk, nn.Module) and set(dict(visual.head.named_children())) <= projections:  # type: ignore[union-attr]
        head: nn.Module = copy.deepcopy(visual.head)  # type: ignore[assignment]
        return trunk, head  # a model of timm, and a projection behind it
    if isinstance(trunk, nn.Module):
        raise CatlipError(
            "This tower of open_clip pools in a layer of its own; probes cannot take it. Take another one."
        )
    if isinstance(getattr(visual, "proj", None), nn.Parameter):
        weight_DE = visual.proj.detach().clone()  # type: ignore[operator]
        visual.register_parameter("proj", None)  # without it the tower ends at its features
        return ClipTower(visual, len(weight_DE)), lambda features_BD: features_BD @ weight_DE
    return ClipTower(visual, int(visual.output_dim)), lambda features_BD: features_BD  # type: ignore[arg-type]
