"""The linear probe: how well a linear classifier on frozen features tells classes apart, under protocols with names.

None sees augmented pictures: features are computed once. What a protocol chooses, it chooses on held-out training
pictures (`held_out` of each class), never on the test split, and the final head is trained on all of them.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product

import msgspec
import numpy as np
import torch

from labelshards.errors import CatlipError
from trainer.probes import accuracy, heads, lbfgs
from trainer.probes.examples import Examples, held_out, stratified
from trainer.probes.heads import Heads, Start, View
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick
from trainer.probes.taps import BLOCKS, POOLED, num_blocks
from trainer.probes.transfer import INIT_STD, TRANSFER, ZEROS, Init, init_of
from trainer.probes.updates import Training

HELD_OUT = 0.1

# Heads on standardised features, the best of six learning rates.
SWEEP = Training(
    optimizer="adamw", rates=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2), epochs=30, batch_size=256, standardise=True
)
# The CatLIP paper's, table 7: features as they are, one learning rate.
CATLIP = Training(optimizer="adamw", rates=(3e-5,), final_rate=1e-6, epochs=30, batch_size=256, standardise=False)
# DINOv2's grid. Its rates are for 256 pictures a step and are scaled by the batch, here that of one of its processes.
_DINOV2_BATCH = 128
_DINOV2_RATES = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1)
DINOV2 = Training(
    optimizer="sgd",
    rates=tuple(rate * _DINOV2_BATCH / 256 for rate in _DINOV2_RATES),
    epochs=10,
    batch_size=_DINOV2_BATCH,
    standardise=False,
    init_std=0.01,
)
_TRAININGS = {"sweep": SWEEP, "catlip": CATLIP, "dinov2": DINOV2}
PROTOCOLS = (*_TRAININGS, "lbfgs")
WITH_INIT = ("sweep", "catlip")


def probes(asked: Asked) -> list[Probe]:
    """The probe under each protocol, from each beginning. Raises CatlipError if one cannot be had."""
    found = []
    for protocol, name in product(asked.of_task(PROTOCOLS, "sweep"), asked.inits):
        if name != ZEROS and protocol not in WITH_INIT:
            raise CatlipError(
                f"--init {name} is for protocols {' and '.join(WITH_INIT)}; {protocol} has its own beginning."
            )
        blocks = num_blocks(asked.opened.encoder.model) if protocol == "dinov2" else 0
        found.append(probe(protocol, asked.fractions, blocks, init_of(name, asked) if name != ZEROS else None))
    return found


def probe(protocol: str, fractions: Sequence[float], blocks: int = 0, init: Init | None = None) -> Probe:
    """The probe under one of PROTOCOLS on these fractions of the training pictures.

    blocks: of dinov2's tap. init: what heads begin with, if not with what the protocol says.
    """
    settings = (
        msgspec.json.decode(msgspec.json.encode(_TRAININGS[protocol])) if protocol in _TRAININGS else lbfgs.SETTINGS
    )
    if protocol == "dinov2":
        settings = {**settings, "blocks": sorted({1, blocks}), "average_patches": [False, True]}
    if init is not None:
        settings = {**settings, "init": init.name, "init_std": INIT_STD}
    return Probe(
        task="linear",
        protocol=f"{protocol}, {init.name} init" if init is not None else protocol,
        settings={**settings, "held_out": HELD_OUT, "fractions": list(fractions)},
        run=partial(_run, protocol, fractions, blocks, init),
        tap=BLOCKS if protocol == "dinov2" else POOLED,
        beside_random=init is None or init.name != TRANSFER,
        matches=init.matches if init is not None else (),
    )


def _run(
    protocol: str,
    fractions: Sequence[float],
    blocks: int,
    init: Init | None,
    case: Case,
    seed: int,
    tick: Tick,
) -> list[Measured]:
    train, test = case.examples
    num_classes, device = case.num_classes, case.device
    found = []
    for fraction in fractions:
        part = train.part(stratified(train.class_ids, fraction, seed)) if fraction < 1 else train
        if protocol == "lbfgs":
            inner, outer = _split(part, seed)
            ranked_N5, chosen = lbfgs.classify(
                part.part(inner), part.part(outer), part, test, num_classes, device, tick
            )
        else:
            start = init.make(num_classes, train.width, seed) if init is not None else None
            views = dinov2_views(part.width, blocks) if protocol == "dinov2" else {"": heads.whole(part.width)}
            ranked_N5, chosen = _best_head(
                _TRAININGS[protocol], views, part, test, num_classes, seed, device, tick, start
            )
        measured = accuracy.measure(ranked_N5, test.class_ids, num_classes)
        found.append(Measured.of(f"{100 * fraction:g} %", measured, chosen))
    return found


def dinov2_views(width: int, num_blocks: int) -> dict[str, View]:
    """Name → columns of the tap BLOCKS: of the last or all blocks, without and with the mean patch."""
    size = width // (num_blocks + 1)
    patches = (num_blocks * size, width)
    views: dict[str, View] = {}
    for count in sorted({1, num_blocks}):
        tokens = (0, count * size)
        blocks = f"{count} block{'s' * (count > 1)}"
        views[blocks] = (tokens,)
        views[f"{blocks}, patches"] = (tokens, patches)
    return views


def _best_head(
    training: Training,
    views: dict[str, View],
    train: Examples,
    test: Examples,
    num_classes: int,
    seed: int,
    device: torch.device,
    tick: Tick,
    start: Start | None,
) -> tuple[np.ndarray, dict[str, str]]:
    """(ranked classes of the test pictures, what was chosen)."""

    def fit(examples: Examples, training: Training, views: Sequence[View]) -> Heads:
        targets = heads.classes_of(examples)
        return heads.fit(examples, targets, num_classes, training, views, seed, device, tick, start)

    choices = [(name, rate) for name in views for rate in training.rates]
    chosen: dict[str, str] = {}
    name, rate = choices[0]
    if len(choices) > 1:
        inner, outer = _split(train, seed)
        tried = fit(train.part(inner), training, list(views.values()))
        outside = train.part(outer)
        right = [float(np.mean(ranked[:, 0] == outside.class_ids)) for ranked in tried.ranked(outside)]
        best = int(np.argmax(right))
        name, rate = choices[best]
        chosen = {"learning rate": f"{rate:g}", "held-out top-1": f"{right[best]:.1%}"}
        if name:
            chosen["features"] = name
    # Anew on all pictures: the held-out ones are training pictures, too.
    one = msgspec.structs.replace(training, rates=(rate,))
    [ranked_N5] = fit(train, one, [views[name]]).ranked(test)
    return ranked_N5, chosen


def _split(train: Examples, seed: int) -> tuple[np.ndarray, np.ndarray]:
    inner, outer = held_out(train.class_ids, HELD_OUT, seed)
    if not len(outer):
        raise CatlipError(
            "The probe needs at least two readable training pictures in some class, to choose by one of them. Take a "
            "larger --fraction; --protocol catlip chooses nothing."
        )
    return inner, outer
