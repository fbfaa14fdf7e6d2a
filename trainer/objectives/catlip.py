"""CatLIP: pictures learn the labels of their captions (arXiv 2404.15653).

The head stands here and not behind the encoder's own forward, because a fused loss takes features, never logits.

Shapes: B images, C = 3, H x W pixels, K classes.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from labelshards.vocabulary import Vocabulary
from trainer.distributed import World
from trainer.encoders import models
from trainer.encoders.range_augment import RangeAugment
from trainer.losses.config import Loss, LossConfig, idf, initial_bias
from trainer.losses.pieces import GPU_PIECE
from trainer.losses.positives import Positives
from trainer.objectives.footprint import FLOAT_BYTES, Footprint
from trainer.objectives.objective import Objective
from trainer.objectives.texts import Scorer
from trainer.stream.batch import Batch

if TYPE_CHECKING:
    from trainer.config import Config


class Catlip(Objective[Positives]):
    """A model of `models.build` and its loss. `prior_K`: the classes' frequencies, for weights."""

    weights_K: torch.Tensor | None

    def __init__(
        self,
        model: nn.Module,
        config: LossConfig,
        prior_K: np.ndarray,
        augment: RangeAugment | None = None,
        augment_weight: float = 0.0,
    ) -> None:
        super().__init__(model, augment, augment_weight)
        self.config = config
        weights = torch.from_numpy(idf(prior_K)).float() if config.class_weights == "idf" else None
        self.register_buffer("weights_K", weights, persistent=False)  # the label set gives them again

    def targets(self, batch: Batch) -> Positives:
        """Where the dense target, which never exists, would hold ones."""
        return batch.positives()

    def loss(self, x_BCHW: torch.Tensor, targets: Positives, mean_over: float) -> torch.Tensor:
        """See `Objective`."""
        loss = Loss(config=self.config, weights_K=self.weights_K)
        return loss(models.features(self.model, x_BCHW), models.head(self.model), targets, mean_over)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Labels:
    """The kind of objective that knows no text: an encoder whose head has a row for each class."""

    learned: str = "to tell the nouns of captions from pictures alone ([CatLIP](https://arxiv.org/abs/2404.15653))"

    def check(self, config: "Config") -> None:
        """Raise CatlipError for a loss that does not go with its settings."""
        config.loss.check()

    def build(self, config: "Config", num_classes: int) -> nn.Module:
        """The encoder and its head."""
        return models.build(config.model, num_classes)

    def towers(self, model: nn.Module) -> list[nn.Module]:
        """The encoder, which is all of it."""
        return [model]

    def footprint(
        self, model: nn.Module, config: "Config", share: int, _batch_size: int, _num_processes: int
    ) -> Footprint:
        """Logits, in as many bytes as the forward pass computes in; the fused loss has them piece by piece.

        It keeps the features' gradient, and one piece of the logits at a time.
        """
        head = models.head(model)
        fused = share * (head.in_features + min(GPU_PIECE, head.out_features)) * FLOAT_BYTES
        logits = share * head.out_features * config.loop.activation_bytes()
        return Footprint(logits_bytes=fused if config.loss.fused else logits)

    def start(self, config: "Config", prior_K: np.ndarray) -> nn.Module:
        """The head begins at the classes' frequencies."""
        model = self.build(config, len(prior_K))
        models.init_head(model, initial_bias(config.loss, prior_K))
        return model

    def objective(
        self, model: nn.Module, config: "Config", prior_K: np.ndarray, augment: RangeAugment | None, world: World
    ) -> Catlip:
        """The recipe's loss; it needs no other process."""
        return Catlip(model, config.loss, prior_K, augment, config.augment.weight)

    def tokenizer(self, config: "Config") -> None:
        """Captions are not read."""

    def texts(self, model: nn.Module, config: "Config") -> None:
        """There is no text tower."""

    def scorer(self, model: nn.Module, config: "Config", vocabulary: Vocabulary) -> Scorer:
        """The head's logits; to the loss they mean a probability each, or shares of 1."""
        return Scorer(model, partial(torch.softmax, dim=-1) if config.loss.kind == "softmax" else torch.sigmoid)
