"""The whole configuration of a run: one struct per owner, filled from a recipe and `--set` (`trainer.settings`)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from trainer import settings
from trainer.distributed import DistributedConfig
from trainer.encoders.models import ModelConfig
from trainer.encoders.range_augment import AugmentConfig
from trainer.losses.config import LossConfig
from trainer.objectives.text import TextConfig
from trainer.optim import OptimConfig
from trainer.settings import flatten
from trainer.stream.loader import DataConfig
from trainer.stream.steps import PlanConfig
from trainer.training.evaluation import EvalConfig
from trainer.training.loop import LoopConfig
from trainer.training.tracking import TrackingConfig


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run's settings. objective: what pictures learn. seed: all that is random, weights, order, crops, flips."""

    objective: Literal["catlip", "clip", "siglip"] = "catlip"
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    plan: PlanConfig = PlanConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    text: TextConfig = TextConfig()
    optim: OptimConfig = OptimConfig()
    loop: LoopConfig = LoopConfig()
    distributed: DistributedConfig = DistributedConfig()
    eval: EvalConfig = EvalConfig()
    tracking: TrackingConfig = TrackingConfig()


# What may change between a run and its continuation: these decide speed, memory and reports, and of the weights at most
# how they are rounded.
FREE_KEYS = frozenset(
    {
        "data.num_workers",
        "data.max_bad_fraction",
        "data.cache",
        "data.cache_gib",
        "distributed.sharded_checkpoints",
        "distributed.strategy",
        "distributed.timeout_seconds",
        "eval.every",
        "eval.labels",
        "eval.pictures",
        "eval.samples",
        "loop.accumulate",
        "loop.channels_last",
        "loop.checkpoint_every",
        "loop.compile",
        "loop.keep_checkpoints",
        "loop.log_every",
        "loop.recompute",
        "loop.spike_factor",
        "loop.spike_steps",
        "tracking.project",
        "tracking.tensorboard",
        "tracking.wandb",
    }
)


def load(recipe: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a recipe with `key=value` overrides, in this order, over the defaults.

    A value is read as TOML, and as a string if it is not TOML. Raises CatlipError naming the dotted key that is
    unknown (with the nearest known one) or has a value of the wrong type.
    """
    tree = settings.read_recipe(recipe) if recipe else {}
    # In a recipe a table may stand empty; what else is given for one is told by its type.
    tables = {key.rpartition(".")[0] for key in _known() if "." in key}
    refuse_unknown([key for key in flatten(tree) if key not in tables], str(recipe))
    for key, value in settings.read_overrides(overrides):
        refuse_unknown([key], "--set")
        settings.assign(tree, key, value)
    settings.refuse_impossible(tree)
    return settings.convert(tree, Config)


def refuse_unknown(keys: Iterable[str], where: str) -> None:
    """Raise CatlipError for the first dotted key that no setting has, with the nearest one; `where`: it was given."""
    settings.refuse_unknown((key for key in keys if not key.startswith("model.kwargs.")), _known(), where)


def _known() -> list[str]:
    return list(flatten(msgspec.to_builtins(Config())))


def differences(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of the settings that make two configurations different runs."""
    before, after = identity(old), identity(new)
    keys = dict.fromkeys([*before, *after])
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def identity(config: Config) -> dict[str, Any]:
    """The settings that decide a weight, by dotted key."""
    flat = flatten(msgspec.to_builtins(config))
    return {key: value for key, value in flat.items() if key not in FREE_KEYS}
