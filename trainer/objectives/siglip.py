"""SigLIP's loss: whether a picture and a caption belong together, asked of each pair by itself (arXiv 2303.15343).

Shapes: B pairs of this rank, R of another one, E numbers of an embedding.
"""

import math

import torch
from torch.nn import functional as F

from trainer.distributed import World
from trainer.objectives.exchange import from_neighbours
from trainer.objectives.pairs import Pairs


def siglip_loss(
    images_BE: torch.Tensor,
    texts_BE: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    mean_over: float,
    world: World,
) -> torch.Tensor:
    """Scalar: the sum over this rank's pictures and all ranks' captions, which come by one rank at a time."""
    assert bias is not None, "SIGLIP has one"
    logits_BB = scale * images_BE @ texts_BE.T + bias
    # -log sigmoid(-z) is softplus(z), and -log sigmoid(z) is softplus(z) - z.
    loss = F.softplus(logits_BB).sum() - logits_BB.diagonal().sum()
    for others_RE in from_neighbours(texts_BE, round(mean_over * world.size), world):
        loss = loss + F.softplus(scale * images_BE @ others_RE.T + bias).sum()
    return loss / mean_over


SIGLIP = Pairs(
    loss=siglip_loss,
    # Where the paper begins: nearly all pairs are negatives, and should not cost much at first.
    first_log_scale=math.log(10.0),
    first_bias=-10.0,
    matrices=1,
    probabilities=torch.sigmoid,
    learned="which picture and caption belong together ([SigLIP](https://arxiv.org/abs/2303.15343))",
)
