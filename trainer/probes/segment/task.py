"""The task `segment`: its protocols, a training, and mean IoU on the test pictures."""

from collections import Counter
from functools import partial
from typing import Annotated

import msgspec
import numpy as np
import torch

from labelshards import storage
from trainer.encoders import models
from trainer.probes.features import check_any_read
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick
from trainer.probes.segment.crops import Crops
from trainer.probes.segment.model import Head, Segmenter, Segmenting
from trainer.probes.segment.scoring import Confusion, score
from trainer.probes.taps import freeze_unused, patches
from trainer.probes.tuning import groups
from trainer.probes.tuning.fit import Fitting
from trainer.probes.tuning.settings import Tuning, overridden

_VERSION = 1  # part of a training's name: raise it when the same settings and data give other weights


class Segment(Tuning, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A protocol. frozen: the encoder is not trained. min_scale: of the random crop, share of the largest square."""

    head: Head
    frozen: bool
    min_scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.25


PROTOCOLS = {
    # DINOv2's linear head: its rate and batch, and as many epochs as its 40,000 steps are on ADE20K.
    "linear": Segment(head="linear", frozen=True, epochs=32, batch_size=16, lr=1e-3, weight_decay=1e-4, warmup=0.04),
    # DeepLabv3's head, and the encoder is trained, as in the CatLIP paper; the rates are ours.
    "deeplab": Segment(head="deeplab", frozen=False, epochs=50, batch_size=16, lr=3e-4, warmup=0.04, layer_decay=0.75),
}


def probes(asked: Asked) -> list[Probe]:
    """Segmentation under each protocol that was asked for."""
    found = []
    for protocol in asked.of_task(PROTOCOLS, "linear"):
        settings = overridden("segment", PROTOCOLS[protocol], asked.overrides)
        found.append(
            Probe(
                task="segment",
                protocol=protocol,
                settings=msgspec.to_builtins(settings),
                run=partial(_run, settings, asked),
                tap=None,
                labels="masks",
                majority=_majority,
            )
        )
    return found


def _run(settings: Segment, asked: Asked, case: Case, seed: int, tick: Tick) -> list[Measured]:
    train, test = case.splits
    train_masks, test_masks = case.masks
    world = asked.world
    size = settings.image_size or case.encoder.picture.image_size
    stream = settings.stream(len(train), size, seed, world)
    models.check_sizes(case.encoder.model, [*stream.steps.image_sizes(), size])
    torch.manual_seed(seed)  # of the head's first weights
    segmenter = Segmenter(case.encoder, settings.head, case.num_classes, size, frozen=settings.frozen)
    moved = groups.of_new(segmenter.head.parameters(), settings)
    if not settings.frozen:
        freeze_unused(segmenter.encoder, lambda x_BCHW: patches(segmenter.encoder, x_BCHW), size)
        moved += groups.of_encoder(segmenter.encoder, settings)
    # All that decides a weight: with other settings, pictures or masks it is another training.
    name = (_VERSION, case.encoder.digest, train.pictures.digest, train_masks.files.digest, train.classes)
    digest = storage.digest(repr((*name, msgspec.to_builtins(settings), seed)).encode())
    fitted = Fitting(
        objective=Segmenting(segmenter),
        groups=moved,
        batches=Crops(split=train, masks=train_masks, stream=stream, min_scale=settings.min_scale),
        stream=stream,
        settings=settings,
        folder=asked.tuning_folder / f"segment-{digest}",
        world=world,
        tick=tick,
    ).run()
    assert isinstance(fitted.module, Segmenting), "fitting averages what it is given"
    confusion, broken = score(fitted.module.segmenter, test, test_masks, size, world, tick)
    check_any_read(len(test) - broken.total(), "test", broken)
    return [_line(confusion, {"loss": fitted.fall}, broken + fitted.bad)]


def _majority(case: Case) -> list[Measured]:
    """Every pixel is called what most training pixels are."""
    classes = case.splits[0].classes
    sizes = [np.bincount(masks.lookup(classes), weights=masks.pixels_V, minlength=256) for masks in case.masks]
    train_K, test_K = (each[: case.num_classes].astype(np.int64) for each in sizes)  # without IGNORED, the last one
    counts_KK = np.zeros((case.num_classes, case.num_classes), np.int64)
    counts_KK[:, train_K.argmax()] = test_K
    return [_line(Confusion(counts_KK=counts_KK), {}, Counter())]


def _line(confusion: Confusion, chosen: dict[str, str], left_out: Counter[str]) -> Measured:
    return Measured(
        setting="", metrics=confusion.metrics(), chosen=chosen, per_class=confusion.iou(), left_out=left_out
    )
