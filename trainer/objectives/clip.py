"""CLIP's loss: each picture finds its caption among all of the step's, and each caption its picture (arXiv 2103.00020).

Shapes: B pairs of this rank, G of all ranks together, E numbers of an embedding.
"""

import math
from functools import partial

import torch
from torch.nn import functional as F

from trainer.distributed import World
from trainer.objectives.exchange import from_all
from trainer.objectives.pairs import Pairs
from trainer.stream.plan import share_sizes


def clip_loss(
    images_BE: torch.Tensor,
    texts_BE: torch.Tensor,
    scale: torch.Tensor,
    _bias: torch.Tensor | None,
    mean_over: float,
    world: World,
) -> torch.Tensor:
    """Scalar: symmetric InfoNCE of this rank's rows against all ranks', as open_clip's `local_loss` with gradients."""
    batch_size = round(mean_over * world.size)
    all_GE = from_all(torch.cat([images_BE, texts_BE], dim=1), batch_size, world)
    all_images_GE, all_texts_GE = all_GE.chunk(2, dim=1)
    first = sum(share_sizes(batch_size, world.size)[: world.rank])
    # Own pairs stand behind those of lower ranks.
    own_B = torch.arange(first, first + len(images_BE), device=images_BE.device)
    by_image = F.cross_entropy(scale * images_BE @ all_texts_GE.T, own_B, reduction="sum")
    by_text = F.cross_entropy(scale * texts_BE @ all_images_GE.T, own_B, reduction="sum")
    return (by_image + by_text) / (2 * mean_over)


CLIP = Pairs(
    loss=clip_loss,
    # A temperature of 0.07, and no scale above 100: section 2.5.
    first_log_scale=math.log(1 / 0.07),
    most_log_scale=math.log(100.0),
    matrices=2,
    probabilities=partial(torch.softmax, dim=-1),
    learned="which picture and caption belong together ([CLIP](https://arxiv.org/abs/2103.00020))",
)
