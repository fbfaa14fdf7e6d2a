"""The task `finetune`: its protocols, a training for each share of the data, and accuracy on the test pictures."""

from functools import partial
from itertools import product
from typing import Annotated

import msgspec
import numpy as np
from timm.data.mixup import Mixup

from labelshards import storage
from trainer.encoders import models
from trainer.encoders.encoder import Encoder
from trainer.probes import accuracy
from trainer.probes.examples import stratified
from trainer.probes.features import check_any_read
from trainer.probes.finetune.crops import Crops
from trainer.probes.finetune.model import Classifying, with_head
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick
from trainer.probes.transfer import RANDOM, TRANSFER, ZEROS, Init, init_of
from trainer.probes.tuning import groups
from trainer.probes.tuning.evaluate import ranked
from trainer.probes.tuning.fit import Fitting
from trainer.probes.tuning.settings import Share, Tuning, overridden

_VERSION = 1  # part of a training's name: raise it when the same settings and data give other weights


class Finetune(Tuning, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A protocol. min_scale: of the random crop, share of the picture. mixup, cutmix: alphas; 0 leaves them out."""

    min_scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.08
    smoothing: Share = 0.1
    mixup: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    cutmix: Annotated[float, msgspec.Meta(ge=0)] = 0.0


PROTOCOLS = {
    # The CatLIP paper's rates, epochs, decay and smoothing; batch size and crops are ours.
    "catlip": Finetune(epochs=10, batch_size=256, lr=3e-5, min_lr=3e-6),
    # What MAE and BEiT agree on: lower layers move less, pictures are mixed, weights are averaged.
    "strong": Finetune(
        epochs=30,
        batch_size=256,
        lr=1e-3,
        min_lr=1e-6,
        warmup=0.1,
        layer_decay=0.75,
        ema_decay=0.999,
        mixup=0.8,
        cutmix=1.0,
    ),
}


def probes(asked: Asked) -> list[Probe]:
    """Fine-tuning under each protocol, from each beginning. Raises CatlipError if one cannot be had."""
    # Not from zeros: under such a head the encoder has no gradient at first.
    inits = [init_of(name, asked) for name in dict.fromkeys(RANDOM if each == ZEROS else each for each in asked.inits)]
    found = []
    for protocol, init in product(asked.of_task(PROTOCOLS, "catlip"), inits):
        settings = overridden("finetune", PROTOCOLS[protocol], asked.overrides)
        transfers = init.name == TRANSFER
        found.append(
            Probe(
                task="finetune",
                protocol=f"{protocol}, {init.name} init" if transfers else protocol,
                settings={**msgspec.to_builtins(settings), "init": init.name, "fractions": list(asked.fractions)},
                run=partial(_run, settings, asked, init),
                tap=None,
                beside_random=not transfers,
                matches=init.matches,
            )
        )
    return found


def _run(settings: Finetune, asked: Asked, init: Init, case: Case, seed: int, tick: Tick) -> list[Measured]:
    found = []
    for fraction in asked.fractions:
        train = case.splits[0]
        rows = np.arange(len(train)) if fraction == 1 else stratified(train.class_ids, fraction, seed)
        found.append(_measured(settings, asked, init, case, rows, f"{100 * fraction:g} %", seed, tick))
    return found


def _measured(
    settings: Finetune, asked: Asked, init: Init, case: Case, rows: np.ndarray, setting: str, seed: int, tick: Tick
) -> Measured:
    train, test = case.splits
    picture = case.encoder.picture
    size = settings.image_size or picture.image_size
    stream = settings.stream(len(rows), size, seed, asked.world)
    model = with_head(case.encoder, case.num_classes, init, seed)
    models.check_sizes(model, [*stream.steps.image_sizes(), size])
    # All that decides a weight: what differs in any of it is another training.
    name = (_VERSION, case.encoder.digest, train.pictures.digest, msgspec.to_builtins(settings), init.name, seed)
    rows_of_classes = [match.class_ids for match in init.matches]  # what is known of names changes with WordNet
    digest = storage.digest(repr((*name, rows_of_classes)).encode() + rows.tobytes() + train.class_ids.tobytes())
    fitted = Fitting(
        objective=Classifying(model, picture, settings.smoothing, _mix(settings, case.num_classes)),
        groups=groups.of_encoder(model, settings),
        batches=Crops(split=train, rows=rows, stream=stream, min_scale=settings.min_scale),
        stream=stream,
        settings=settings,
        folder=asked.tuning_folder / f"finetune-{digest}",
        world=asked.world,
        tick=tick,
    ).run()
    whole = msgspec.structs.replace(picture, image_size=size)
    assert isinstance(fitted.module, Classifying), "fitting averages what it is given"
    encoder = Encoder(model=fitted.module.model, picture=whole, device=asked.world.device)
    ranked_N5, read, broken = ranked(encoder, test.pictures, asked.world)
    check_any_read(len(read), "test", broken)
    measured = accuracy.measure(ranked_N5, test.class_ids[read], case.num_classes)
    return Measured.of(setting, measured, {"loss": fitted.fall}, left_out=broken + fitted.bad)


def _mix(settings: Finetune, num_classes: int) -> Mixup | None:
    """timm's Mixup, one share for a whole batch; smoothing is the loss's."""
    if not settings.mixup and not settings.cutmix:
        return None
    return Mixup(  # type: ignore[no-untyped-call]
        settings.mixup, settings.cutmix, label_smoothing=0.0, num_classes=num_classes
    )
