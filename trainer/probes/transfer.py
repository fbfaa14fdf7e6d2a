"""What a classifier for new classes begins with: nothing, chance, or what the label head knows (Transfer Init).

Shapes: D features, C classes of the data, M of them with a match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from labelshards.matching import Match
from trainer.probes.labelhead import LabelHead, label_head
from trainer.probes.probe import Asked

ZEROS, RANDOM, TRANSFER = INITS = ("zeros", "random", "transfer")
INIT_STD = 0.02  # of weights at random, as the paper's


@dataclass(frozen=True, kw_only=True)
class Init:
    """make(num_classes, width, seed): (weight [C, D], bias [C]). matches: what rows of Transfer Init are made of."""

    name: str
    make: Callable[[int, int, int], tuple[torch.Tensor, torch.Tensor]]
    matches: Sequence[Match] = ()


def init_of(name: str, asked: Asked) -> Init:
    """RANDOM, or TRANSFER for the data asked for. Raises CatlipError if the model has no label head for the latter."""
    if name == RANDOM:
        return Init(name=name, make=random_init)
    head, vocabulary = label_head(asked.opened, "--init transfer")
    matches = asked.match(asked.splits[0].classes, vocabulary)
    return Init(name=name, make=lambda _, __, seed: transfer_init(head, matches, seed), matches=matches)


def transfer_init(head: LabelHead, matches: Sequence[Match], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Transfer Init (paper, section 4.2) for features as they stand in front of the head: float32 on the CPU.

    A class begins as the mean of the rows that stand for it; of their biases what frequency explains is taken away. All
    are centred, which changes no softmax, and scaled so that weights have the root mean square INIT_STD. A class for
    which nothing stands begins at random with the same spread.
    """
    weight_CD, bias_C = random_init(len(matches), head.weight_KD.shape[1], seed)
    matched = [c for c, match in enumerate(matches) if match.class_ids]
    if not matched:
        return weight_CD, bias_C
    ids = [matches[c].class_ids for c in matched]
    rows_MD = torch.stack([head.weight_KD[each].mean(0) for each in ids])
    biases_M = torch.stack([(head.bias_K - head.log_support_K)[each].mean() for each in ids])
    rows_MD, biases_M = rows_MD - rows_MD.mean(0), biases_M - biases_M.mean()
    size = float(rows_MD.square().mean().sqrt())
    scale = INIT_STD / size if size else 1.0  # a single match, centred, is 0
    weight_CD[matched], bias_C[matched] = rows_MD * scale, biases_M * scale
    return weight_CD, bias_C


def random_init(num_classes: int, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(weight [C, D] drawn at random, bias [C] of 0)."""
    torch_rng = torch.Generator().manual_seed(seed)
    return torch.randn(num_classes, width, generator=torch_rng) * INIT_STD, torch.zeros(num_classes)
