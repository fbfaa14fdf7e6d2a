"""What can be exported: the encoder of a run, or a folder that was exported before."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from trainer import opening, run
from trainer.encoders import models
from trainer.encoders.encoder import PictureInput
from trainer.export import card, config
from trainer.export.config import ExportConfig, Origin
from trainer.naming import kind_of_folder

# How catlip resizes pictures, in training and after it.
_INTERPOLATION = "bicubic"


@dataclass(frozen=True, kw_only=True)
class Exportable:
    """A model in eval mode, on the CPU, and what goes with its weights. folder: where it came from. card: Markdown."""

    folder: Path
    model: nn.Module
    config: ExportConfig
    vocabulary: Vocabulary | None
    card: str


def open_exportable(model: Path, *, best: bool, averaged: bool, backbone_only: bool, licence: str | None) -> Exportable:
    """What is at `model`, a run or an exported folder; `best`, the last step and `licence` are for runs.

    Raises CatlipError if it is neither.
    """
    if kind_of_folder(model) == "run":
        return _from_run(model, best, averaged, backbone_only, licence or card.UNKNOWN_LICENCE)
    if best or not averaged or licence:
        raise CatlipError(f"--best, --last-step and --license are for runs; {model} is an exported folder.")
    return _from_folder(model, backbone_only)


def _from_run(folder: Path, best: bool, averaged: bool, backbone_only: bool, licence: str) -> Exportable:
    opened = run.open_run(folder, best=best, averaged=averaged)
    record, model = opened.record, opened.record.config.model
    if opened.texts and not backbone_only:
        raise CatlipError(
            f"{folder} was trained with objective = {record.config.objective!r}: its encoder has no classes. Export it "
            "with --backbone-only."
        )
    vocabulary = None if opened.texts else opened.vocabulary
    origin = Origin(
        made_from="run",
        weights="ema" if averaged else "last",
        loss=record.config.loss.kind if opened.texts is None else record.config.objective,
        step=opened.checkpoint.step,
        samples=opened.checkpoint.samples,
        label_sets=[card.short(uri) for uri in record.label_sets],
        vocabulary_digest=vocabulary.digest if vocabulary else None,
    )
    made = config.make(
        opened.encoder,
        architecture=model.name,
        model_args=models.timm_arguments(model),
        picture=PictureInput.of_run(model),
        interpolation=_INTERPOLATION,
        vocabulary=vocabulary,
        origin=origin,
    )
    if backbone_only:
        made = _behead(opened.encoder, made)
    return Exportable(
        folder=folder,
        model=opened.encoder,
        config=made,
        vocabulary=None if backbone_only else vocabulary,
        card=card.of_run(folder, record, vocabulary, made, licence),
    )


def _from_folder(folder: Path, backbone_only: bool) -> Exportable:
    made = config.read(folder)
    encoder = opening.open_model(str(folder), opening.PRETRAINED, torch.device("cpu")).encoder
    text = storage.read_bytes(str(folder / card.NAME)).decode()
    if backbone_only and made.num_classes:
        made = _behead(encoder.model, made)
        text += "\n## This copy\n\nIt has no head: `model(…)` gives features.\n"
    return Exportable(
        folder=folder,
        model=encoder.model,
        config=made,
        vocabulary=None if backbone_only else encoder.vocabulary,
        card=text,
    )


def _behead(model: nn.Module, made: ExportConfig) -> ExportConfig:
    model.reset_classifier(0)  # type: ignore[operator]
    return made.without_head()
