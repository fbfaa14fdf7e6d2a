"""How weights are trained for a task, and `--set TASK.KEY=VALUE` on top of a protocol."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import msgspec

from trainer import settings
from trainer.distributed import World
from trainer.optim import OptimConfig
from trainer.probes.tuning.stream import Stream
from trainer.stream.steps import MultiScale, PlanConfig, Steps

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Tuning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AdamW on a cosine from `lr` to `min_lr` (both for `batch_size` pictures a step, over all processes).

    image_size: the side of what is trained on; without, the encoder's own. warmup: share of the steps. layer_decay: a
    layer's rate is lr · layer_decay^(layers above it), as in BEiT; 1 leaves all at lr. ema_decay: as of `[optim]`; 0
    takes the last weights. precision: "auto" is bf16 on a GPU. checkpoint_every: steps.
    """

    epochs: Positive
    batch_size: Count
    lr: Positive
    min_lr: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    warmup: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.05
    layer_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    clip_norm: Positive = 1.0
    ema_decay: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    image_size: Count | None = None
    multi_scale: MultiScale = MultiScale()
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_every: Count = 500

    def stream(self, num_samples: int, image_size: int, seed: int, world: World) -> Stream:
        """What this process trains on. Raises CatlipError if a step has fewer pictures than there are processes."""
        plan = PlanConfig(
            batch_size=max(world.size, min(self.batch_size, num_samples)),
            epochs=self.epochs,
            multi_scale=self.multi_scale,
        )
        plan.check(0, world.size, image_size)
        steps = Steps(plan, image_size=image_size, num_samples=num_samples, seed=seed)
        return Stream(num_samples=num_samples, steps=steps, seed=seed, rank=world.rank, world_size=world.size)

    def optim(self, num_steps: int) -> OptimConfig:
        """The same in the words of a run."""
        return OptimConfig(
            lr=self.lr,
            min_lr=self.min_lr,
            warmup_steps=int(self.warmup * num_steps),
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            ema_decay=self.ema_decay,
        )


T = TypeVar("T", bound=Tuning)


def overridden(task: str, protocol: T, overrides: Sequence[str]) -> T:
    """A protocol with those of `--set TASK.KEY=VALUE` that are this task's.

    Raises CatlipError for a key that it does not have, naming those that it has, and for a value of the wrong type.
    """
    tree = msgspec.to_builtins(protocol)
    known = [f"{task}.{key}" for key in settings.flatten(tree)]
    for key, value in settings.read_overrides(overrides):
        owner, _, name = key.partition(".")
        if owner == task:
            settings.refuse_unknown([key], known, "--set")
            settings.assign(tree, name, value)
    return settings.convert(tree, type(protocol), prefix=f"--set {task}.")
