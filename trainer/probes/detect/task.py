"""The task `detect`: its protocol, a training, and average precision on the test pictures."""

from collections import Counter
from functools import partial

import msgspec
import torch
from torchvision.models.detection import MaskRCNN

from labelshards import storage
from labelshards.errors import CatlipError
from trainer.encoders import models
from trainer.probes.detect.model import Detecting, Pyramid, build
from trainer.probes.detect.scenes import Scenes, learnable
from trainer.probes.detect.scoring import detect, precision
from trainer.probes.features import check_any_read
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick
from trainer.probes.tuning import groups
from trainer.probes.tuning.fit import Fitting
from trainer.probes.tuning.settings import Count, Tuning, overridden

PROTOCOL = "vitdet"
_VERSION = 1  # part of a training's name: raise it when the same settings and data give other weights


class Detect(Tuning, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A protocol. channels: of pyramid and mask head. regions: proposals a picture that the box head learns from."""

    channels: Count = 256
    regions: Count = 512


# ViTDet's for ViT-B; it has larger changes of scale, and its drop path is the model's own business here.
VITDET = Detect(
    epochs=100, batch_size=64, lr=1e-4, weight_decay=0.1, warmup=0.005, layer_decay=0.7, image_size=1024
)  # fmt: skip


def probes(asked: Asked) -> list[Probe]:
    """The one protocol."""
    settings = overridden("detect", VITDET, asked.overrides)
    return [
        Probe(
            task="detect",
            protocol=PROTOCOL,
            settings=msgspec.to_builtins(settings),
            run=partial(_run, settings, asked),
            tap=None,
            labels="objects",
        )
    ]


def _run(settings: Detect, asked: Asked, case: Case, seed: int, tick: Tick) -> list[Measured]:
    import pycocotools  # noqa: F401  (of an extra: what is missing is said before anything is trained)

    train, test = case.splits
    train_objects, test_objects = case.objects
    world = asked.world
    size = settings.image_size or case.encoder.picture.image_size
    rows = learnable(train_objects)
    if not len(rows):
        raise CatlipError("No training picture has an object to learn: all are crowds. Give data with others.")
    models.check_sizes(case.encoder.model, [size])
    stream = settings.stream(len(rows), size, seed, world)
    torch.manual_seed(seed)  # of all first weights but the encoder's
    model = build(case.encoder, case.num_classes, size, settings.channels, settings.regions)
    # All that decides a weight: with other settings, pictures or objects it is another training.
    name = (_VERSION, case.encoder.digest, train.pictures.digest, train_objects.digest, train.classes)
    digest = storage.digest(repr((*name, msgspec.to_builtins(settings), seed)).encode())
    fitted = Fitting(
        objective=Detecting(model),
        groups=_groups(model, settings),
        batches=Scenes(pictures=train.pictures, objects=train_objects, rows=rows, stream=stream),
        stream=stream,
        settings=settings,
        folder=asked.tuning_folder / f"detect-{digest}",
        world=world,
        tick=tick,
    ).run()
    assert isinstance(fitted.module, Detecting), "fitting averages what it is given"
    detections, broken = detect(fitted.module.model, test, test_objects, world, tick)
    check_any_read(len(test) - broken.total(), "test", broken)
    found = precision(detections, test, test_objects)
    metrics: dict[str, float] = {}
    for kind, each in found.items():
        metrics |= {f"{kind}_AP": each.ap, f"{kind}_AP50": each.ap50}
    left_out: Counter[str] = broken + fitted.bad + train_objects.skipped + test_objects.skipped
    return [
        Measured(
            setting="",
            metrics=metrics,
            chosen={"loss": fitted.fall},
            per_class=found["box"].per_class,
            left_out=left_out,
        )
    ]


def _groups(model: MaskRCNN, settings: Detect) -> list[dict[str, object]]:
    """Layer decay in the encoder, the full rate for everything else."""
    pyramid = model.backbone
    assert isinstance(pyramid, Pyramid), "as it was built"
    inner = {id(parameter) for parameter in pyramid.encoder.parameters()}
    new = [parameter for parameter in model.parameters() if id(parameter) not in inner]
    return groups.of_new(new, settings) + groups.of_encoder(pyramid.encoder, settings)
