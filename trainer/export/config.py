"""config.json of an exported folder: timm's form, with what catlip knows beside it.

timm reads `architecture`, `model_args` and `pretrained_cfg`; names and descriptions of the classes are where its own
models have them. `catlip` says where the weights come from.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec
from torch import nn

from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from trainer.encoders import models
from trainer.encoders.encoder import PictureInput
from trainer.naming import CONFIG_NAME


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where weights come from. weights: the average (EMA) or the last step's. loss: what the head's logits were for.

    label_sets: what a run was trained on, as its card names it.
    """

    catlip: str = version("catlip")
    made_from: Literal["run", "corenet"]
    weights: Literal["ema", "last"] | None = None
    loss: str | None = None
    step: int | None = None
    samples: int | None = None
    label_sets: list[str] = []
    vocabulary_digest: str | None = None


class ExportConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The content of config.json. label_names: ImageNet ids by class id; label_descriptions: what each of them is."""

    architecture: str
    num_classes: int
    num_features: int
    label_names: list[str] = []
    label_descriptions: dict[str, str] = {}
    model_args: dict[str, Any]
    pretrained_cfg: dict[str, Any]
    catlip: Origin

    @property
    def image_size(self) -> int:
        """Pixels a side of the pictures that the model takes."""
        return int(self.pretrained_cfg["input_size"][-1])

    def to_bytes(self) -> bytes:
        """JSON, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def without_head(self) -> "ExportConfig":
        """The same for a model whose head was taken off."""
        pretrained = self.pretrained_cfg | {"num_classes": 0}
        return msgspec.structs.replace(
            self, num_classes=0, label_names=[], label_descriptions={}, pretrained_cfg=pretrained
        )


def make(
    model: nn.Module,
    *,
    architecture: str,
    model_args: dict[str, Any],
    picture: PictureInput,
    interpolation: str,
    vocabulary: Vocabulary | None,
    origin: Origin,
) -> ExportConfig:
    """The configuration with which timm makes `model`, and puts pictures before it as `picture` says."""
    known: dict[str, Any] = getattr(model, "pretrained_cfg", {})
    num_classes = int(model.num_classes)  # type: ignore[arg-type]
    return ExportConfig(
        architecture=architecture,
        num_classes=num_classes,
        num_features=int(model.num_features),  # type: ignore[arg-type]
        label_names=vocabulary.wnids if vocabulary else [],
        label_descriptions=dict(zip(vocabulary.wnids, vocabulary.descriptions, strict=True)) if vocabulary else {},
        # Whoever trains the model further chooses anew what to drop while doing so.
        model_args={key: value for key, value in model_args.items() if not ("drop" in key and key.endswith("_rate"))},
        pretrained_cfg={
            "custom_load": False,
            "input_size": [3, picture.image_size, picture.image_size],
            "fixed_input_size": models.has_fixed_size(model),
            "interpolation": interpolation,
            "crop_pct": picture.crop_share,
            "crop_mode": "center",
            "mean": list(picture.mean),
            "std": list(picture.std),
            "num_classes": num_classes,
            "pool_size": None,
            "first_conv": known.get("first_conv"),
            "classifier": known.get("classifier"),
        },
        catlip=origin,
    )


def read(folder: Path) -> ExportConfig:
    """config.json of a folder that `catlip export` wrote. Raises CatlipError for another one."""
    path = folder / CONFIG_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=ExportConfig)
    except (OSError, ValueError, RecursionError) as error:
        raise CatlipError(f"{path} was not written by `catlip export` ({error}). Export the run again.") from error


def origin_of(folder: Path) -> Origin | None:
    """Where the weights of a folder come from; None if something else wrote it."""
    try:
        return read(folder).catlip
    except CatlipError:
        return None
