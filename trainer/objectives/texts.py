"""Names of classes as captions: what a text tower makes of them scores pictures, without any training.

Shapes: B pictures, C = 3, H x W pixels, N texts, D features, E numbers of an embedding, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional as F

PROMPT = "a photo of a {}."
TEXTS_AT_ONCE = 256  # so that the memory does not grow with the number of classes


class Scorer(NamedTuple):
    """How likely a picture has each class. scores: normalised float32 [B, C, H, W] → [B, K], for ranking.

    probabilities: one row of them → [K], for a person to read.
    """

    scores: Callable[[torch.Tensor], torch.Tensor]
    probabilities: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class TextSide:
    """Where texts and pictures of a model meet. embed: texts → float32 [N, E], of length 1.

    project: an encoder's features, float32 [B, D] → [B, E], of length 1.
    """

    embed: Callable[[Sequence[str]], torch.Tensor]
    project: Callable[[torch.Tensor], torch.Tensor]


def classifier(texts: TextSide, names: Sequence[str], templates: Sequence[str] = (PROMPT,)) -> torch.Tensor:
    """float32 [K, E], of length 1: of each name the mean of its embeddings in all `templates` (CLIP, section 3.1.4)."""
    written = [template.format(name) for name in names for template in templates]
    embedded = texts.embed(written).reshape(len(names), len(templates), -1)
    return F.normalize(embedded.mean(dim=1), dim=-1)
