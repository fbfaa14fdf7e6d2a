"""The whole configuration of a run: one struct per owner, a TOML recipe, and `--set key=value` on top."""

import difflib
import math
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from labelshards.errors import CatlipError
from trainer.distributed import DistributedConfig
from trainer.encoders.models import ModelConfig
from trainer.encoders.range_augment import AugmentConfig
from trainer.losses.config import LossConfig
from trainer.objectives.text import TextConfig
from trainer.optim import OptimConfig
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


_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def load(recipe: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a recipe with `key=value` overrides, in this order, over the defaults.

    A value is read as TOML, and as a string if it is not TOML. Raises CatlipError naming the dotted key that is
    unknown (with the nearest known one) or has a value of the wrong type.
    """
    tree = _read(recipe) if recipe else {}
    refuse_unknown(flatten(tree), str(recipe))
    for key, value in read_overrides(overrides):
        refuse_unknown([key], "--set")
        assign(tree, key, value)
    _refuse_impossible(tree)
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        raise CatlipError(f"{path.rstrip('`') or 'the recipe'}: {what[:1].lower()}{what[1:]}") from error


def read_overrides(overrides: Sequence[str]) -> Iterator[tuple[str, object]]:
    """(key, value) of each `key=value`, a value that is not TOML being a string. Raises CatlipError for other forms."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise CatlipError(f"--set {override}: write it as key=value, for example --set optim.lr=5e-4.")
        yield key.strip(), _value(text.strip())


def assign(tree: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key in nested tables, which are made where they are missing. Raises CatlipError if one cannot be."""
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise CatlipError(f"{key} cannot be set: {table} is {tree!r}, no table.")
    tree[name] = value


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables → dotted keys, depth first, in order."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def differences(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of the settings that make two configurations different runs."""
    before, after = identity(old), identity(new)
    keys = dict.fromkeys([*before, *after])
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def identity(config: Config) -> dict[str, Any]:
    """The settings that decide a weight, by dotted key."""
    flat = flatten(msgspec.to_builtins(config))
    return {key: value for key, value in flat.items() if key not in FREE_KEYS}


def _read(recipe: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(recipe.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CatlipError(f"There is no recipe {recipe}. Name a TOML file, like those in recipes/.") from error
    except (ValueError, RecursionError) as error:  # of what is no TOML; whole numbers have 4,300 digits at most
        raise CatlipError(f"{recipe} is not valid TOML: {error}.") from error


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _refuse_impossible(settings: dict[str, Any]) -> None:
    """Raise CatlipError for NaN, infinity, and whole numbers that no array holds, in whatever list or table."""
    for key, value in settings.items():
        if isinstance(value, list):
            _refuse_impossible({f"{key}[{place}]": each for place, each in enumerate(value)})
        elif isinstance(value, dict):
            _refuse_impossible({f"{key}.{name}": each for name, each in value.items()})
        elif isinstance(value, float) and not math.isfinite(value):
            raise CatlipError(f"{key}: {value} is no number that can be computed with.")
        elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
            raise CatlipError(f"{key}: whole numbers have 64 bits at most.")


def refuse_unknown(keys: Iterable[str], where: str) -> None:
    """Raise CatlipError for the first dotted key that no setting has, with the nearest one; `where`: it was given."""
    known = flatten(msgspec.to_builtins(Config()))
    tables = {key.rpartition(".")[0] for key in known if "." in key}
    for key in keys:
        # In a recipe a table may stand empty.
        if key in known or key.startswith("model.kwargs.") or (not where.startswith("--") and key in tables):
            continue
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f". Known keys: {', '.join(known)}."
        raise CatlipError(f"{where}: unknown key {key}{hint}")
