"""What the rest of the trainer knows of an objective: how what it learns is made, and which loss stands on it."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import nn

from labelshards.vocabulary import Vocabulary
from trainer.distributed import World
from trainer.encoders.range_augment import RangeAugment
from trainer.objectives.footprint import Footprint
from trainer.objectives.objective import Objective
from trainer.objectives.text import Tokenizer
from trainer.objectives.texts import Scorer, TextSide

if TYPE_CHECKING:
    from trainer.config import Config


class Kind(Protocol):
    """One objective, of any run. learned: what its encoder has learned, as a model card says it."""

    @property
    def learned(self) -> str:
        """See the class."""

    def check(self, config: "Config") -> None:
        """Raise CatlipError for settings that it cannot train with."""

    def build(self, config: "Config", num_classes: int) -> nn.Module:
        """All that is learned, with fresh weights drawn from torch's global generator: what checkpoints fill."""

    def towers(self, model: nn.Module) -> list[nn.Module]:
        """The networks in what `build` made; the first is the image encoder."""

    def start(self, config: "Config", prior_K: np.ndarray) -> nn.Module:
        """What `build` makes, ready for the first step. prior_K: the classes' frequencies."""

    def objective(
        self, model: nn.Module, config: "Config", prior_K: np.ndarray, augment: RangeAugment | None, world: World
    ) -> Objective[Any]:
        """The loss on `model`, for this process."""

    def footprint(
        self, model: nn.Module, config: "Config", share: int, batch_size: int, num_processes: int, /
    ) -> Footprint:
        """What its step takes beside the image encoder. share: a process's samples of `batch_size`."""

    def tokenizer(self, config: "Config") -> Tokenizer | None:
        """What makes tokens of captions; None if it does not learn from them."""

    def texts(self, model: nn.Module, config: "Config") -> TextSide | None:
        """The text tower in what `build` made; None if there is none, and the encoder's head tells classes apart."""

    def scorer(self, model: nn.Module, config: "Config", vocabulary: Vocabulary) -> Scorer:
        """What such a model, in eval mode, says of a vocabulary's classes, without being trained for it."""
