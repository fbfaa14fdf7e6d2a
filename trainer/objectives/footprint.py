"""What an objective's step takes beside the image encoder, for plans that train nothing."""

from collections.abc import Callable
from typing import NamedTuple

import torch

FLOAT_BYTES = torch.float32.itemsize


class Footprint(NamedTuple):
    """Of one process. logits_bytes: what the loss keeps for its backward pass. exchanged_bytes: sent in a step, without
    gradients of weights. text_forward: the text tower's forward pass for one caption; None where there is none.
    """

    logits_bytes: int
    exchanged_bytes: int = 0
    text_parameters: int = 0
    text_forward: Callable[[], torch.Tensor] | None = None
