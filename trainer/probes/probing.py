"""One model on one data set: features once, then every probe asked for, beside random weights."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import run
from trainer.distributed import World
from trainer.encoder import Encoder
from trainer.opening import Opened
from trainer.probes import features, results
from trainer.probes.data.split import Split
from trainer.probes.examples import Features
from trainer.probes.features import Extracted
from trainer.probes.plans import Case, Measured, Plan, Tick, over_seeds
from trainer.probes.results import DataFacts, Result, Score

_NOTHING = np.empty((0, 0), np.float16)
_WANTED = {
    "masks": "folders images/ and masks/ in train/ and test/ (or val/), or ADE20K's",
    "objects": "COCO's instances.json with boxes and segmentations",
}

# report(done, total, what)
Report = Callable[[int, int, str], None]


def probe(
    opened: Opened,
    splits: tuple[Split, Split],
    plans: Sequence[Plan],
    *,
    data: Path,
    out: Path,
    seeds: Sequence[int],
    with_random: bool,
    device: torch.device,
    report: Report,
    world: World | None = None,
) -> list[Result]:
    """Results in the order of `plans`, written below `out` as they come; features are kept there, too.

    world: who computes, where several processes do; the main one writes.
    Raises CatlipError if no picture can be read, if pictures have not what a task wants, or if there are several
    processes for a task of one.
    """
    for plan in plans:
        _check_labels(plan, splits, data)
        if plan.tap and world and world.size > 1:
            raise CatlipError(f"{plan.task} is a task of one process. Start it without torchrun.")
    encoders = {"model": opened.encoder}
    if with_random and any(plan.beside_random for plan in plans):
        fresh = opened.fresh(0)
        if fresh.digest != opened.encoder.digest:  # else the model is the one with random weights
            encoders["random"] = fresh
    taps = sorted({plan.tap for plan in plans if plan.tap})
    read: tuple[Split | None, Split] = splits if any(plan.trains for plan in plans) else (None, splits[1])
    extracted = {
        name: _extract(encoder, read, out / run.FEATURE_FOLDER, taps, _named(report, f"pictures, {name} encoder"))
        for name, encoder in encoders.items()
        if taps
    }
    facts = _facts(data, splits)
    found = []
    for plan in plans:
        used = list(seeds) if plan.seeded else list(seeds[:1])
        scores: list[Score] = []
        left_out = Counter(facts.left_out)
        if plan.tap:  # a probe that reads pictures for itself counts what it meets
            left_out = sum((each.broken for each in extracted["model"]), left_out)
        for name, encoder in encoders.items():
            if name == "random" and not plan.beside_random:
                continue
            pair = _features(extracted[name], plan.tap) if plan.tap else None
            case = Case(encoder=encoder, splits=splits, features=pair, device=device)
            by_seed: list[list[Measured]] = []
            for seed in used:
                tick = _named(report, f"{plan.task} {plan.protocol}, {name} encoder, seed {seed}")
                by_seed.append(plan.run(case, seed, tick))
            scores += over_seeds(name, by_seed)
            if name == "model":
                left_out = sum((line.left_out for line in by_seed[0]), left_out)
        if plan.majority:
            scores += over_seeds("majority", [plan.majority(case)])
        result = Result(
            task=plan.task,
            protocol=plan.protocol,
            settings=plan.settings,
            model=opened.facts,
            data=msgspec.structs.replace(
                facts, left_out=dict(sorted(left_out.items())), chance=None if plan.labels in _WANTED else facts.chance
            ),
            seeds=used,
            scores=scores,
            versions=run.versions(),
            matches=list(plan.matches),
        )
        if world is None or world.is_main:
            results.write(out / run.PROBE_FOLDER, result)
        found.append(result)
    return found


def _extract(
    encoder: Encoder,
    splits: tuple[Split | None, Split],
    cache: Path,
    taps: Sequence[str],
    tick: Tick,
) -> tuple[Extracted, Extracted]:
    """Features of both splits; none of the first one, if it is None."""
    total = sum(len(split) for split in splits if split)
    done = 0
    found = []
    for split, name in zip(splits, ("training", "test"), strict=True):
        if split is None:
            found.append(Extracted(tables=dict.fromkeys(taps, _NOTHING), rows=np.empty(0, int), broken=Counter()))
            continue

        def report(now: int, before: int = done) -> None:
            tick(before + now, total)

        each = features.extract(encoder, split, cache, report, taps)
        features.check_any_read(len(each.rows), name, each.broken)
        if not np.diff(split.offsets)[each.rows].any():
            raise CatlipError(f"No picture of the {name} split that can be read has a class.")
        found.append(each)
        done += len(split)
    return found[0], found[1]


def _features(pair: tuple[Extracted, Extracted], tap: str) -> tuple[Features, Features]:
    train, test = (Features(table=each.tables[tap], rows=each.rows) for each in pair)
    return train, test


def _check_labels(plan: Plan, splits: tuple[Split, Split], data: Path) -> None:
    train, test = splits
    if plan.labels == "one" and train.multilabel:
        raise CatlipError(f"{data} has several classes a picture; {plan.task} wants one. --task multilabel takes them.")
    if plan.labels in _WANTED and any(getattr(split, plan.labels) is None for split in splits):
        raise CatlipError(f"{data} has no {plan.labels}; {plan.task} wants {_WANTED[plan.labels]}.")
    if plan.labels == "many" and not train.multilabel:
        raise CatlipError(f"{data} has one class a picture; {plan.task} wants several. --task linear takes one.")
    if not len(test.values):
        raise CatlipError(f"{data}: no test picture has any of the {len(train.classes):,} classes.")


def _facts(data: Path, splits: tuple[Split, Split]) -> DataFacts:
    train, test = splits
    if train.multilabel:
        counts_K = np.bincount(test.values)
        chance = float(counts_K[counts_K > 0].mean() / len(test)) if len(test.values) else None
    else:
        chance = float(np.mean(test.class_ids == np.bincount(train.class_ids).argmax()))
    return DataFacts(
        name=data.resolve().stem,
        path=storage.absolute(str(data)),
        classes=list(train.classes),
        num_train=len(train),
        num_test=len(test),
        left_out=dict(train.skipped + test.skipped),
        classes_without_test=len(np.setdiff1d(train.values, test.values)),
        chance=chance,
    )


def _named(report: Report, what: str) -> Tick:
    return lambda done, total, doing="", /: report(done, total, f"{what}{doing and f', {doing}'}")
