"""MODEL as people name it → a frozen encoder: a run, an exported folder, a model of timm, a tower of open_clip."""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data.config import resolve_model_data_config
from torch import nn

from labelshards import storage
from labelshards.errors import CatlipError, first_line
from labelshards.schema import VOCABULARY_NAME
from labelshards.vocabulary import Vocabulary
from trainer import run
from trainer.corenet import vit as _corenet_vit  # noqa: F401  (timm knows the imported models from there)
from trainer.encoders import clip_towers, models
from trainer.encoders.encoder import Encoder, PictureInput
from trainer.export.config import origin_of
from trainer.naming import CONFIG_NAME, OPEN_CLIP, ModelFacts, folder_of, kind_of_model
from trainer.objectives.kinds import kind_of
from trainer.objectives.texts import TextSide

_MOST_BLOCKS = 1_000
RANDOM = "random"
PRETRAINED = "pretrained"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A model. fresh(seed): an encoder of the same architecture that learned nothing. folder: of a run.

    texts: its text tower, None where it has none.
    """

    facts: ModelFacts
    encoder: Encoder
    fresh: Callable[[int], Encoder] = field(repr=False)
    folder: Path | None = None
    texts: TextSide | None = None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What its head's classes mean; None where nobody said."""
        return self.encoder.vocabulary


def open_model(name: str, weights: str, device: torch.device, *, best: bool = False) -> Opened:
    """The model that a person named.

    name: a folder (of a run, or of timm's `local-dir:` form, with or without that prefix), a model of timm, or
    `open_clip:` and a model of open_clip. weights: for the latter two PRETRAINED (timm fetches them), RANDOM, a
    checkpoint file, or a tag of open_clip. best: of a run, its best checkpoint and not its newest. Raises CatlipError
    if it cannot be made.
    """
    kind = kind_of_model(name, best=best)
    if kind == "open_clip":
        return _open_clip(name.removeprefix(OPEN_CLIP), weights, device)
    if kind == "timm":
        if not timm.is_model(name.partition(".")[0]):
            raise CatlipError(f"{name} is neither a folder (a run, or an exported model) nor {_unknown(name)}")
        return _open_timm(name, name, weights, device)
    folder = folder_of(name)
    if weights != PRETRAINED:
        raise CatlipError(f"--weights is for models of timm; {folder} has weights of its own.")
    if kind == "run":
        return _open_run(folder, device, best)
    _refuse_endless(folder / CONFIG_NAME)
    return _open_timm(f"local-dir:{folder}", folder.resolve().name, weights, device, folder)


def _refuse_endless(config: Path) -> None:
    """Raise CatlipError for a config.json that would have timm make blocks for minutes."""
    try:
        arguments = json.loads(config.read_bytes())["model_args"]
        depths = [arguments.get(name) for name in ("depth", "depths", "layers", "num_layers")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # timm says what is wrong with it, if anything is
    numbers = [each for depth in depths for each in (depth if isinstance(depth, list) else [depth])]
    if any(isinstance(each, int) and each > _MOST_BLOCKS for each in numbers):
        raise CatlipError(
            f"{config} asks for more than {_MOST_BLOCKS:,} blocks; no encoder has those. Mend its model_args."
        )


def _unknown(name: str) -> str:
    near = timm.list_models(f"*{name}*")[:3] if name.isidentifier() else []
    return f"a model of timm{f'; did you mean {near[0]}?' if near else '. `timm.list_models()` lists them.'}"


def _open_run(folder: Path, device: torch.device, best: bool) -> Opened:
    opened = run.open_run(folder, best=best)
    picture = PictureInput.of_run(opened.record.config.model)

    def fresh(seed: int) -> Encoder:
        torch.manual_seed(seed)
        kind = kind_of(opened.record.config)
        encoder = kind.towers(kind.build(opened.record.config, opened.record.num_classes))[0]
        return Encoder(model=encoder.eval(), picture=picture, device=device)

    return Opened(
        facts=ModelFacts(
            name=folder.resolve().name,
            kind="run",
            weights=str(folder),
            parameters=_count(opened.encoder),
            step=opened.checkpoint.step,
            pretrained_on=", ".join(opened.record.label_sets),
        ),
        # Where texts name classes, no row of a head stands for them.
        encoder=Encoder(
            model=opened.encoder,
            picture=picture,
            device=device,
            vocabulary=None if opened.texts else opened.vocabulary,
        ),
        fresh=fresh,
        folder=folder,
        texts=opened.texts,
    )


def _open_timm(source: str, name: str, weights: str, device: torch.device, folder: Path | None = None) -> Opened:
    """A model that timm makes. folder: where it was exported to, which has weights of its own."""
    if weights == RANDOM:
        torch.manual_seed(0)  # the same random weights each time, under one digest
    if weights in (RANDOM, PRETRAINED):
        model = _create(source, {"pretrained": weights == PRETRAINED})
    else:
        model = _from_file(source, Path(weights))
    picture = _picture_input(model, name)
    vocabulary = _vocabulary(folder, model) if folder else None
    model.eval().requires_grad_(False)
    encoder = Encoder(model=model, picture=picture, device=device, vocabulary=vocabulary)
    _check_features(encoder, name)
    origin = origin_of(folder) if folder else None
    tag = getattr(model, "pretrained_cfg", {}).get("tag", "") if weights == PRETRAINED and not folder else ""
    return Opened(
        facts=ModelFacts(
            name=name,
            kind="folder" if folder else "timm",
            weights=str(folder or weights),
            parameters=_count(model),
            step=origin.step if origin else None,
            pretrained_on=", ".join(origin.label_sets) if origin else tag,
        ),
        encoder=encoder,
        fresh=partial(_fresh, source, picture, device),
    )


def _vocabulary(folder: Path, model: nn.Module) -> Vocabulary | None:
    where = str(folder / VOCABULARY_NAME)
    if not storage.exists(where):
        return None
    vocabulary = Vocabulary.from_bytes(storage.read_bytes(where), where)
    if len(vocabulary) != model.num_classes:
        raise CatlipError(
            f"{where} has {len(vocabulary):,} classes, the head beside it {model.num_classes:,}. Export the run again."
        )
    return vocabulary


def _open_clip(name: str, weights: str, device: torch.device) -> Opened:
    if weights == PRETRAINED:
        raise CatlipError(
            f"Which weights of {name}? Give a checkpoint with --weights FILE, --weights {RANDOM}, or "
            f"one of open_clip's ({clip_towers.tags(name)})."
        )
    if Path(weights).suffix and not Path(weights).is_file():
        raise CatlipError(f"--weights {weights}: there is no such file.")
    torch.manual_seed(0)
    towers = clip_towers.open_towers(name, None if weights == RANDOM else weights)
    model, config = towers.image, towers.preprocess
    size = config["size"]  # of one side, or of both
    picture = PictureInput(
        image_size=size if isinstance(size, int) else size[0],
        mean=_channels(config["mean"]),
        std=_channels(config["std"]),
    )

    def fresh(seed: int) -> Encoder:
        torch.manual_seed(seed)
        return Encoder(model=clip_towers.open_towers(name, None).image, picture=picture, device=device)

    encoder = Encoder(model=model, picture=picture, device=device)
    _check_features(encoder, name)
    named = "" if weights == RANDOM or Path(weights).is_file() else weights
    facts = ModelFacts(name=name, kind="open_clip", weights=weights, parameters=_count(model), pretrained_on=named)
    return Opened(facts=facts, encoder=encoder, fresh=fresh, texts=towers.texts)


def _fresh(source: str, picture: PictureInput, device: torch.device, seed: int) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(model=_create(source, {"pretrained": False}).eval(), picture=picture, device=device)


def _from_file(source: str, path: Path) -> nn.Module:
    if not path.is_file():
        raise CatlipError(f"--weights {path}: there is no such file. It takes a file, `{PRETRAINED}` or `{RANDOM}`.")
    try:
        # For the size of its head alone; timm reads the file again.
        state = timm.models.load_state_dict(str(path), weights_only=True)
    except Exception as error:  # unpickling and safetensors raise types of their own
        raise CatlipError(f"--weights {path} is no checkpoint: {first_line(error)}") from error
    classifier = timm.models.get_pretrained_cfg_value(source, "classifier")
    head = state.get(f"{classifier}.weight") if isinstance(classifier, str) else None
    num_classes = len(head) if head is not None else 0
    # No custom load: some of timm's models would read the file as the one that their own weights came in.
    overlay = {"file": str(path), "num_classes": num_classes, "custom_load": False}
    return _create(source, {"pretrained": True, "num_classes": num_classes, "pretrained_cfg_overlay": overlay})


def _create(source: str, options: dict[str, Any]) -> nn.Module:
    model: nn.Module
    try:
        # ViTs take any resolution if they are told so, which training needs; to others the word is a TypeError, and
        # whatever else is one fails again without it.
        with suppress(TypeError):
            model = timm.create_model(source, dynamic_img_size=True, **options)
            return model
        model = timm.create_model(source, dynamic_img_size=None, **options)  # timm drops what is None
    except Exception as error:  # timm, the hub's client and torch raise a dozen types
        hint = f" Give a checkpoint with --weights FILE, or --weights {RANDOM}." if options["pretrained"] else ""
        raise CatlipError(f"timm cannot make {source}: {first_line(error)}.{hint}") from error
    return model


def _picture_input(model: nn.Module, name: str) -> PictureInput:
    try:
        config: dict[str, Any] = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
        channels, height, width = config["input_size"]
        mean, std = _channels(config["mean"]), _channels(config["std"])
        crop_share = float(config["crop_pct"] or 1.0)
    except Exception as error:  # config.json may say anything, and timm trusts it
        raise CatlipError(
            f"{name} does not say what pictures it takes: {first_line(error)}. Mend its config.json."
        ) from error
    if channels != 3 or height != width:
        raise CatlipError(
            f"{name} takes pictures of {channels} x {height} x {width}; they should have 3 channels and be square. "
            "Take another model."
        )
    if not (all(map(math.isfinite, (*mean, crop_share))) and all(0 < each < math.inf for each in std)):
        raise CatlipError(
            f"{name} takes pixels of mean {mean} and standard deviation {std}, which cannot be. Take another model."
        )
    return PictureInput(
        image_size=height,
        mean=mean,
        std=std,
        crop_share=crop_share,
    )


def _channels(values: Sequence[float]) -> models.Channels:
    red, green, blue = map(float, values)
    return red, green, blue


@torch.inference_mode()
def _check_features(encoder: Encoder, name: str) -> None:
    size = encoder.picture.image_size
    try:
        found = models.features(encoder.model, torch.zeros(1, 3, size, size))
    except Exception as error:  # a model of another kind fails anywhere
        raise CatlipError(f"{name} gives no features: {first_line(error)}") from error
    if found.ndim != 2:
        raise CatlipError(
            f"{name} gives features of {found.ndim - 1} dimensions, not one row a picture. Take another model."
        )


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
