"""One arm with one seed: trained by `catlip train`, probed at its points by `catlip probe`, resumed where it was."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.study import label_sets
from benchmarks.study.arms import MAIN_LABELS, Arm
from benchmarks.study.place import Study, together
from labelshards import storage
from labelshards.schema import VOCABULARY_NAME
from trainer import run
from trainer.naming import RECORD_NAME

_PARTS = 8  # of a run, after each of which a checkpoint is kept


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint's averaged weights are worth. samples: seen until then.

    linear, knn: best top-1 on the probe's pictures. mean_ap: of linear heads on the held-out labels. untrained: the
    same three of an encoder with random weights, where it was measured beside.
    """

    arm: str
    seed: int
    step: int
    samples: int
    linear: float
    knn: float
    mean_ap: float
    untrained: dict[str, float] = {}


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """Of a run, as `catlip train --plan` says it."""

    steps: int
    batch_size: int
    num_samples: int


def recipe(arm: Arm) -> Path:
    """The file of an arm's recipe."""
    return Path(__file__).parents[2] / "recipes" / f"{arm.recipe}.toml"


def settings_of(study: Study, arm: Arm, length: Length) -> list[str]:
    """All that an arm's runs are told on top of their recipe, but the seed; every run has as many steps."""
    return [*study.settings, *arm.settings, f"plan.steps={length.steps}"]


def length_of(study: Study, arm: Arm) -> Length:
    """How long every run is: as long as this arm's on the main label set."""
    labels = label_sets.folder(study, MAIN_LABELS)
    words = ["--plan", "--json", "--labels", str(labels), "--recipe", str(recipe(arm))]
    return msgspec.json.decode(study.catlip("train", *words, *together(study.settings), log="plan"), type=Length)


def steps_of(arm: Arm, length: Length) -> list[int]:
    """The steps after which an arm is probed."""
    return sorted({min(length.steps, part * _every(length)) for part in arm.points})


def path_of(study: Study, arm: str, seed: int, step: int) -> Path:
    """Where a point is, or will be."""
    return study.points / f"{arm}-s{seed}-{step:06d}.json"


def done(study: Study, arm: Arm, seed: int, length: Length) -> bool:
    """True if nothing of it is left to do."""
    return all(path_of(study, arm.name, seed, step).is_file() for step in steps_of(arm, length))


def train_and_probe(study: Study, arm: Arm, seed: int, length: Length, say: Callable[[str], None]) -> None:
    """What is left to do of an arm with a seed. Raises SystemExit if a command fails."""
    if done(study, arm, seed, length):
        return
    out, name = study.run(arm.name, seed), f"{arm.name}-s{seed}"
    loop = [f"loop.checkpoint_every={_every(length)}", f"loop.keep_checkpoints={_PARTS + 1}", f"seed={seed}"]
    settings = together([*settings_of(study, arm, length), *loop])
    labels = label_sets.folder(study, arm.labels)
    study.catlip("train", "--labels", labels, "--recipe", recipe(arm), "--out", out, *settings, "--json", log=name)
    say(f"{name}: trained")
    for step in steps_of(arm, length):
        if not path_of(study, arm.name, seed, step).is_file():
            _probe(study, arm, seed, step, length, beside_random=(arm.points[-1], seed) == (_PARTS, 0))
            say(f"{name}: probed after {step:,} steps")
    newest = max((out / run.CHECKPOINT_FOLDER).iterdir())
    for checkpoint in (out / run.CHECKPOINT_FOLDER).iterdir():
        if checkpoint != newest:
            checkpoint.unlink()


def _every(length: Length) -> int:
    return max(1, -(-length.steps // _PARTS))


def _probe(study: Study, arm: Arm, seed: int, step: int, length: Length, *, beside_random: bool) -> None:
    """Write a point. A checkpoint is probed as a run that ends there: its folder, without those that came later."""
    out = study.run(arm.name, seed)
    checkpoint = out / run.CHECKPOINT_FOLDER / f"step-{step:08d}.safetensors"
    if not checkpoint.is_file():
        raise SystemExit(f"{checkpoint} is gone, and its point is missing. Remove {out}, and it is trained again.")
    path = path_of(study, arm.name, seed, step)
    view = path.with_suffix("")
    shutil.rmtree(view, ignore_errors=True)
    (view / run.CHECKPOINT_FOLDER).mkdir(parents=True)
    (view / run.CHECKPOINT_FOLDER / checkpoint.name).symlink_to(checkpoint.resolve())
    for file in (RECORD_NAME, VOCABULARY_NAME):
        shutil.copy(out / file, view)
    more = ["--json"] if beside_random and step == length.steps else ["--json", "--no-random"]
    log = f"{arm.name}-s{seed}"
    pictures = study.catlip("probe", view, "--data", study.probes, "--task", "linear,knn", *more, log=log)
    main, heldout = (label_sets.folder(study, name) for name in (MAIN_LABELS, label_sets.HELDOUT))
    labels = study.catlip("probe", view, "--data", main, "--test", heldout, "--task", "multilabel", *more, log=log)
    results = [result for said in (pictures, labels) for result in msgspec.json.decode(said)["results"]]
    point = Point(
        arm=arm.name,
        seed=seed,
        step=step,
        samples=step * length.batch_size,
        **best_of(results, "model"),
        untrained=best_of(results, "random"),
    )
    storage.write_bytes(str(path), msgspec.json.format(msgspec.json.encode(point), indent=1) + b"\n")
    shutil.rmtree(view)


_METRICS = {"linear": ("linear", "top1"), "knn": ("knn", "top1"), "multilabel": ("mean_ap", "mAP")}


def best_of(results: Sequence[dict[str, Any]], encoder: str) -> dict[str, float]:
    """The best line of each probe, by the names of `Point`; nothing of an encoder that was not measured."""
    found: dict[str, float] = {}
    for result in results:
        name, metric = _METRICS[result["task"]]
        values = [score["metrics"][metric]["mean"] for score in result["scores"] if score["encoder"] == encoder]
        if values:
            found[name] = max(values)
    return found


def read_points(study: Study) -> list[Point]:
    """All that was measured, by arm, seed and step."""
    points = [msgspec.json.decode(path.read_bytes(), type=Point) for path in sorted(study.points.glob("*.json"))]
    return sorted(points, key=lambda point: (point.arm, point.seed, point.step))
