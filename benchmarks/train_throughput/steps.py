"""What head and loss add to a step of the encoder."""

import numpy as np
import torch

from benchmarks.train_throughput.losses import K
from benchmarks.train_throughput.measuring import Measured, timed
from trainer.encoders import models
from trainer.encoders.models import ModelConfig
from trainer.losses.config import LossConfig
from trainer.losses.positives import Positives
from trainer.objectives.catlip import Catlip

BATCH, SIZE = 32, 224
STEPS = ("the encoder alone", "with head and bce", "with fused head and bce")


def step(name: str) -> Measured:
    """CPU seconds of a forward and backward pass of a ViT-S/16."""
    torch.manual_seed(0)
    model = models.build(ModelConfig(name="vit_small_patch16_224", image_size=SIZE), K)
    models.init_head(model, np.full(K, -7.0))
    objective = Catlip(model, LossConfig(fused="fused" in name), np.full(K, 1e-3))
    x_BCHW = torch.randn((BATCH, 3, SIZE, SIZE))
    flat = torch.randperm(BATCH * K)[: 3 * BATCH]
    positives = Positives(flat // K, flat % K)

    def work(_: None) -> None:
        if name == STEPS[0]:
            torch.autograd.backward(models.features(model, x_BCHW).sum())
        else:
            torch.autograd.backward(objective(x_BCHW, positives, BATCH))

    return timed(objective.zero_grad, work, repeats=2)
