"""One model on one data set: features once, then every probe asked for, beside random weights."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import run
from trainer.encoders.encoder import Encoder
from trainer.naming import PROBE_FOLDER
from trainer.probes import features, results
from trainer.probes.data.split import Split
from trainer.probes.examples import Features
from trainer.probes.features import Extracted
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick, over_seeds
from trainer.probes.results import DataFacts, Result, Score

_NOTHING = np.empty((0, 0), np.float16)
_WANTED = {
    "masks": "folders images/ and masks/ in train/ and test/ (or val/), or ADE20K's",
    "objects": "COCO's instances.json with boxes and segmentations",
}

# report(done, total, what)
Report = Callable[[int, int, str], None]


def measure(asked: Asked, probes: Sequence[Probe], report: Report) -> list[Result]:
    """Results in the order of `probes`, written below `asked.out` as they come; features are kept there, too.

    Raises CatlipError if no picture can be read, if pictures have not what a task wants, if there are several processes
    for a task of one, or if nothing can be written.
    """
    for probe in probes:
        _check_labels(probe, asked.splits, asked.data)
        if probe.tap and asked.world.size > 1:
            raise CatlipError(f"{probe.task} is a task of one process. Start it without torchrun.")
    if asked.world.is_main:
        results.check_writable(asked.out / PROBE_FOLDER)
    encoders = _encoders(asked, probes)
    extracted = _extract_all(asked, probes, encoders, report)
    facts = _facts(asked)
    found = []
    for probe in probes:
        result = _measure(asked, probe, encoders, extracted, facts, report)
        if asked.world.is_main:
            results.write(asked.out / PROBE_FOLDER, result)
        found.append(result)
    return found


def _encoders(asked: Asked, probes: Sequence[Probe]) -> dict[str, Encoder]:
    """The model, and random weights beside it if a probe wants them and the model is not just that."""
    encoders = {"model": asked.opened.encoder}
    if asked.with_random and any(probe.beside_random for probe in probes):
        fresh = asked.opened.fresh(0)
        if fresh.digest != asked.opened.encoder.digest:
            encoders["random"] = fresh
    return encoders


def _extract_all(
    asked: Asked, probes: Sequence[Probe], encoders: Mapping[str, Encoder], report: Report
) -> dict[str, tuple[Extracted, Extracted]]:
    """Features of both splits, by encoder, for all probes at once; none if no probe takes any."""
    taps = sorted({probe.tap for probe in probes if probe.tap})
    train, test = asked.splits
    read = (train if any(probe.trains for probe in probes) else None, test)
    return {
        name: _extract(encoder, read, asked.out / run.FEATURE_FOLDER, taps, _named(report, f"pictures, {name} encoder"))
        for name, encoder in encoders.items()
        if taps
    }


def _measure(
    asked: Asked,
    probe: Probe,
    encoders: Mapping[str, Encoder],
    extracted: Mapping[str, tuple[Extracted, Extracted]],
    facts: DataFacts,
    report: Report,
) -> Result:
    """One probe on each encoder, with each seed."""
    seeds = list(asked.seeds) if probe.seeded else list(asked.seeds[:1])
    left_out = Counter(facts.left_out)
    if probe.tap:  # a probe that reads pictures for itself counts what it meets
        left_out = sum((each.broken for each in extracted["model"]), left_out)
    scores: list[Score] = []
    for name, encoder in encoders.items():
        if name == "random" and not probe.beside_random:
            continue
        pair = _features(extracted[name], probe.tap) if probe.tap else None
        case = Case(encoder=encoder, splits=asked.splits, features=pair, device=asked.world.device)
        by_seed: list[list[Measured]] = []
        for seed in seeds:
            tick = _named(report, f"{probe.task} {probe.protocol}, {name} encoder, seed {seed}")
            by_seed.append(probe.run(case, seed, tick))
        scores += over_seeds(name, by_seed)
        if name == "model":
            left_out = sum((line.left_out for line in by_seed[0]), left_out)
    if probe.majority:
        scores += over_seeds("majority", [probe.majority(case)])  # whichever encoder's: it asks none
    chance = None if probe.labels in _WANTED else facts.chance
    return Result(
        task=probe.task,
        protocol=probe.protocol,
        settings=probe.settings,
        model=asked.opened.facts,
        weights_digest=asked.opened.encoder.digest,
        data=msgspec.structs.replace(facts, left_out=dict(sorted(left_out.items())), chance=chance),
        seeds=seeds,
        scores=scores,
        versions=run.versions(),
        matches=list(probe.matches),
    )


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

        def report(now: int, before: int = done) -> None:  # as it is now: `done` grows
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


def _check_labels(probe: Probe, splits: tuple[Split, Split], data: Path) -> None:
    train, test = splits
    if probe.labels == "one" and train.multilabel:
        raise CatlipError(
            f"{data} has several classes a picture; {probe.task} wants one. --task multilabel takes them."
        )
    if probe.labels in _WANTED and any(getattr(split, probe.labels) is None for split in splits):
        raise CatlipError(f"{data} has no {probe.labels}; {probe.task} wants {_WANTED[probe.labels]}.")
    if probe.labels == "many" and not train.multilabel:
        raise CatlipError(f"{data} has one class a picture; {probe.task} wants several. --task linear takes one.")
    if not len(test.values):
        raise CatlipError(f"{data}: no test picture has any of the {len(train.classes):,} classes.")


def _facts(asked: Asked) -> DataFacts:
    train, test = asked.splits
    if train.multilabel:
        counts_K = np.bincount(test.values)
        chance = float(counts_K[counts_K > 0].mean() / len(test)) if len(test.values) else None
    else:
        chance = float(np.mean(test.class_ids == np.bincount(train.class_ids).argmax()))
    return DataFacts(
        name=asked.data.resolve().stem,
        path=storage.absolute(str(asked.data)),
        test_path=storage.absolute(str(asked.test)) if asked.test else "",
        classes=list(train.classes),
        num_train=len(train),
        num_test=len(test),
        left_out=dict(train.skipped + test.skipped),
        classes_without_test=len(np.setdiff1d(train.values, test.values)),
        chance=chance,
    )


def _named(report: Report, what: str) -> Tick:
    return lambda done, total, doing="", /: report(done, total, f"{what}{doing and f', {doing}'}")
