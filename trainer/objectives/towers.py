"""A tower for pictures and one for texts, and what each of them makes: embeddings in one space.

Shapes: B pictures, C = 3, H x W pixels, N texts, T tokens, D features, E numbers of an embedding.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from trainer.encoders import models
from trainer.objectives.text import Tokenizer
from trainer.objectives.texts import TEXTS_AT_ONCE, TextSide


class Towers(nn.Module):
    """All that a contrastive objective learns. image: a model of `models.build` whose head projects its features.

    log_scale, bias: of one number, the latter None where a loss has none.
    """

    bias: nn.Parameter | None

    def __init__(self, image: nn.Module, text: nn.Module, log_scale: float, bias: float | None) -> None:
        super().__init__()
        self.image = image
        self.text = text
        self.log_scale = nn.Parameter(torch.tensor([log_scale]))
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.tensor([bias])))

    def embed_images(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """float32 [B, E], of length 1."""
        return F.normalize(self.image(x_BCHW).float(), dim=-1)

    def embed_texts(self, tokens_NT: torch.Tensor) -> torch.Tensor:
        """float32 [N, E], of length 1."""
        return F.normalize(self.text(tokens_NT).float(), dim=-1)


def towers_of(model: nn.Module) -> Towers:
    """`model`, which is known to be made of towers."""
    assert isinstance(model, Towers), "made by Pairs.build"
    return model


def text_side(towers: Towers, tokenizer: Tokenizer) -> TextSide:
    """Their common space for those who have texts, and features of the image tower; its tensors are on the CPU."""

    @torch.no_grad()
    def embed(texts: Sequence[str]) -> torch.Tensor:
        pieces = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            tokens_NT = torch.from_numpy(tokenizer(texts[start : start + TEXTS_AT_ONCE]))
            pieces.append(towers.embed_texts(tokens_NT.to(towers.log_scale.device)).cpu())
        return torch.cat(pieces)

    @torch.no_grad()
    def project(features_BD: torch.Tensor) -> torch.Tensor:
        projection = models.head(towers.image)
        return F.normalize(projection(features_BD.to(projection.weight.device)), dim=-1).cpu()

    return TextSide(embed=embed, project=project)
