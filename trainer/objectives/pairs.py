"""Contrastive objectives: a picture and its caption, each in a tower of its own, meet in one space.

Shapes: B pairs, C = 3, H x W pixels, T tokens, D features, E numbers of an embedding, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn

from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from trainer import sharding
from trainer.distributed import World
from trainer.encoders import models
from trainer.encoders.range_augment import RangeAugment
from trainer.objectives.footprint import FLOAT_BYTES, Footprint
from trainer.objectives.objective import Objective
from trainer.objectives.text import TextSettings, Tokenizer, build_text
from trainer.objectives.texts import Scorer, TextSide, classifier
from trainer.objectives.towers import Towers, text_side, towers_of
from trainer.stream.batch import Batch

if TYPE_CHECKING:
    from trainer.config import Config


class PairLoss(Protocol):
    """A loss of normalised float32 embeddings, summed over this rank's pictures and divided by `mean_over`.

    mean_over times the number of ranks is the step's whole batch. All ranks must call it at once.
    """

    def __call__(
        self,
        images_BE: torch.Tensor,
        texts_BE: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor | None,
        mean_over: float,
        world: World,
        /,
    ) -> torch.Tensor:
        """Scalar. scale, bias: what the cosines are multiplied with, and what is added."""


class Contrastive(Objective[torch.Tensor]):
    """Towers and the loss between them. most_log_scale: where the scale is held, if anywhere."""

    model: Towers

    def __init__(
        self,
        model: Towers,
        pair_loss: PairLoss,
        most_log_scale: float | None,
        world: World,
        augment: RangeAugment | None = None,
        augment_weight: float = 0.0,
    ) -> None:
        super().__init__(model, augment, augment_weight)
        self._pair_loss = pair_loss
        self._most_log_scale = most_log_scale
        self._world = world

    def targets(self, batch: Batch) -> torch.Tensor:
        """int32 [B, T]: the captions' tokens."""
        return batch.tokens_BT

    def loss(self, x_BCHW: torch.Tensor, targets: torch.Tensor, mean_over: float) -> torch.Tensor:
        """See `Objective`; the cosines and what follows are float32 under autocast, too."""
        model = self.model
        images_BE, texts_BE = model.embed_images(x_BCHW), model.embed_texts(targets)
        with torch.autocast(x_BCHW.device.type, enabled=False):
            return self._pair_loss(images_BE, texts_BE, model.log_scale.exp(), model.bias, mean_over, self._world)

    @torch.no_grad()
    def after_step(self) -> None:
        """Hold the scale where training is stable (CLIP, section 2.5)."""
        if self._most_log_scale is not None:
            sharding.local([self.model.log_scale])[0].clamp_(max=self._most_log_scale)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The kind of objective that learns from pictures and captions, by its loss and where that begins.

    matrices: what it keeps of all pairs, and sends of each one: CLIP asks pictures and captions, SigLIP once for both.
    probabilities: what a picture's scores of all classes mean to the loss. learned: as in `Kind`.
    """

    loss: PairLoss
    first_log_scale: float
    first_bias: float | None = None
    most_log_scale: float | None = None
    matrices: int
    probabilities: Callable[[torch.Tensor], torch.Tensor]
    learned: str

    def check(self, config: "Config") -> None:
        """Raise CatlipError for what would compare a picture with a part of the captions only."""
        if config.loop.accumulate > 1:
            raise CatlipError(
                f"objective = {config.objective!r} compares all samples of a step with each other, so a process cannot "
                "go through them in parts. Use loop.accumulate = 1; loop.recompute = true saves memory, too."
            )

    def build(self, config: "Config", _num_classes: int) -> Towers:
        """Both towers; the image tower's head is a projection as CLIP's, without a bias."""
        image = models.build(config.model, TextSettings.of(config.text).embed_dim)
        projection = models.head(image)
        projection.register_parameter("bias", None)
        nn.init.normal_(projection.weight, std=projection.in_features**-0.5)
        return Towers(image, build_text(config.text), self.first_log_scale, self.first_bias)

    def towers(self, model: nn.Module) -> list[nn.Module]:
        """The image tower and the text tower."""
        towers = towers_of(model)
        return [towers.image, towers.text]

    def footprint(
        self, model: nn.Module, config: "Config", share: int, batch_size: int, num_processes: int
    ) -> Footprint:
        """Each picture's cosine with each caption is kept, and the other processes' embeddings come here."""
        towers = towers_of(model)
        # On this device nothing is computed, only shapes are.
        tokens_NT = torch.zeros((1, self.tokenizer(config).context_length), dtype=torch.int32, device="meta")
        width = models.head(towers.image).out_features
        return Footprint(
            text_parameters=sum(p.numel() for p in towers.text.parameters()),
            text_forward=partial(towers.text, tokens_NT),
            logits_bytes=self.matrices * share * batch_size * FLOAT_BYTES,
            # There and, as gradients, back.
            exchanged_bytes=2 * self.matrices * share * width * FLOAT_BYTES * (num_processes - 1),
        )

    def start(self, config: "Config", prior_K: np.ndarray) -> Towers:
        """Nothing depends on the classes."""
        return self.build(config, len(prior_K))

    def objective(
        self, model: nn.Module, config: "Config", _prior_K: np.ndarray, augment: RangeAugment | None, world: World
    ) -> Contrastive:
        """The loss over all ranks' pairs."""
        return Contrastive(towers_of(model), self.loss, self.most_log_scale, world, augment, config.augment.weight)

    def tokenizer(self, config: "Config") -> Tokenizer:
        """Of the text tower."""
        return Tokenizer.of(config.text)

    def texts(self, model: nn.Module, config: "Config") -> TextSide:
        """The text tower, and the projection in front of which the encoder's features are taken."""
        return text_side(towers_of(model), self.tokenizer(config))

    def scorer(self, model: nn.Module, config: "Config", vocabulary: Vocabulary) -> Scorer:
        """Cosines with the classes' names in a prompt, as far as the loss would weigh them."""
        towers = towers_of(model)
        scale = sharding.whole(towers.log_scale).exp()
        classes_KE = classifier(self.texts(towers, config), vocabulary.names).to(scale.device)
        bias = 0.0 if towers.bias is None else sharding.whole(towers.bias)

        def scores(x_BCHW: torch.Tensor) -> torch.Tensor:
            images_BE = towers.embed_images(x_BCHW)
            with torch.autocast(x_BCHW.device.type, enabled=False):
                return scale * images_BE @ classes_KE.T + bias

        return Scorer(scores, self.probabilities)
