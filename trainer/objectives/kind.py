"""What the rest of the trainer knows of an objective: how what it learns is made, and which loss stands on it."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import nn

from trainer.distributed import World
from trainer.objectives.objective import Objective
from trainer.objectives.text import Tokenizer
from trainer.range_augment import RangeAugment

if TYPE_CHECKING:
    from trainer.config import Config


class Kind(Protocol):
    """One objective, of any run."""

    def check(self, config: "Config") -> None:
        """Raise CatlipError for settings that it cannot train with."""

    def build(self, config: "Config", num_classes: int) -> nn.Module:
        """All that is learned, with fresh weights drawn from torch's global generator: what checkpoints fill."""

    def encoder(self, model: nn.Module) -> nn.Module:
        """The image encoder in what `build` made."""

    def start(self, config: "Config", prior_K: np.ndarray) -> nn.Module:
        """What `build` makes, ready for the first step. prior_K: the classes' frequencies."""

    def objective(
        self, model: nn.Module, config: "Config", prior_K: np.ndarray, augment: RangeAugment | None, world: World
    ) -> Objective[Any]:
        """The loss on `model`, for this process."""

    def tokenizer(self, config: "Config") -> Tokenizer | None:
        """What makes tokens of captions; None if it does not learn from them."""
