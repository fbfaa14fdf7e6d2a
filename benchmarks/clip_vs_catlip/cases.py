"""What is compared: the same picture tower and the same loop, under each objective, and batches for it."""

import numpy as np
import torch

from trainer.config import Config, load
from trainer.distributed import World
from trainer.objectives.kinds import kind_of
from trainer.stream.batch import Batch
from trainer.stream.steps import Steps
from trainer.training.assembly import Assembly, assemble
from trainer.training.stepper import Stepper

K = 24_320  # classes of the published vocabulary for DataComp
LABELS = 3  # a sample, about as many as in CC3M
ENCODERS = {"Ti": "vit_tiny_patch16_224", "S": "vit_small_patch16_224", "B": "vit_base_patch16_224"}
CLIP, CATLIP, FUSED = "clip", "catlip", "catlip, fused loss"
# The first is what others are compared with. Text towers are open_clip's of ViT-B-16: 12 blocks of 512, 77 tokens.
OBJECTIVES = {
    CLIP: ["objective=clip"],
    "siglip": ["objective=siglip"],
    CATLIP: [],
    FUSED: ["loss.fused=true"],
}


def config_of(objective: str, encoder: str, size: int, batch_size: int, *more: str) -> Config:
    """A recipe in one of OBJECTIVES; batch_size: of all processes."""
    settings = [f"model.name={ENCODERS[encoder]}", f"model.image_size={size}", f"plan.batch_size={batch_size}"]
    return load(None, [*OBJECTIVES[objective], *settings, "plan.steps=1000", "loop.precision=fp32", *more])


def made(config: Config, world: World) -> tuple[Assembly, Stepper]:
    """What trains, and what does a step."""
    size = config.model.image_size
    steps = Steps(config.plan, image_size=size, num_samples=1, seed=0)
    assembly = assemble(config, np.full(K, LABELS / K), [size], world)
    return assembly, Stepper(assembly, steps)


def batch_of(config: Config, num: int) -> Batch:
    """`num` samples of noise with labels and captions; what they show does not change what a step costs."""
    tokenizer = kind_of(config).tokenizer(config)
    size = config.model.image_size
    return Batch(
        images_BCHW=torch.randint(0, 256, (num, 3, size, size), dtype=torch.uint8),
        flips_B=torch.zeros(num, dtype=torch.bool),
        values_P=torch.randint(0, K, (LABELS * num,), dtype=torch.int32),
        offsets=torch.arange(0, LABELS * num + 1, LABELS, dtype=torch.int32),
        tokens_BT=torch.from_numpy(tokenizer(["two dogs run on the beach with a red ball"] * num))
        if tokenizer
        else torch.empty(num, 0, dtype=torch.int32),
        bad=(),
    )
