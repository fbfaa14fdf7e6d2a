"""The run folder: what `catlip train` leaves behind, and how others open it.

run.json             the resolved configuration, versions, and digests of what was trained on (`RunRecord`)
vocabulary.parquet   what the head's classes mean
metrics.jsonl        one line per log step
eval.jsonl, sheets/   if something is held out: a line and a sheet of pictures for each evaluation
broken.jsonl         if pictures could not be read: a line each time that one was met
stopped.txt          if the loss went wrong: the samples of that step
checkpoints/         step-00001000.safetensors: the newest ones, and the best
features/, probes/, tuned/   what `catlip probe` adds
"""

import platform
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.flock import locked
from labelshards.labelset import LabelSet
from labelshards.schema import VOCABULARY_NAME
from labelshards.vocabulary import Vocabulary
from trainer import config
from trainer.metrics import Metrics
from trainer.naming import RECORD_NAME, require_place, require_run
from trainer.objectives.kinds import kind_of
from trainer.objectives.texts import TextSide
from trainer.settings import as_toml
from trainer.training import checkpoints

METRICS_NAME = "metrics.jsonl"
SCORES_NAME = "eval.jsonl"
SHEET_FOLDER = "sheets"
BROKEN_NAME = "broken.jsonl"
STOPPED_NAME = "stopped.txt"
LABELS_KEY = "labels"
_LOCK_NAME = ".lock"
_NAMED_CHANGES = 4
# A run that goes on deletes its oldest checkpoint after it wrote a new one.
_MOST_LOOKS = 10
CHECKPOINT_FOLDER = "checkpoints"
FEATURE_FOLDER = "features"
TUNING_FOLDER = "tuned"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of run.json.

    labels_digest: identity of the label shards, rows and order included. earlier_configs: digests of the configurations
    of its first steps, if settings were changed on the way.
    """

    config: config.Config
    label_sets: list[str]
    vocabulary_digest: str
    labels_digest: str
    num_classes: int
    num_samples: int
    num_steps: int
    num_processes: int
    device: str
    versions: dict[str, str]
    earlier_configs: list[str] = []

    @property
    def config_digest(self) -> str:
        """Identity of everything in the configuration that decides a weight."""
        return _digest(config.identity(self.config))

    def continues(self, info: checkpoints.CheckpointInfo) -> bool:
        """True if a checkpoint is one of this run."""
        known = {self.config_digest, *self.earlier_configs}
        return info.vocabulary_digest == self.vocabulary_digest and info.config_digest in known


def _digest(settings: dict[str, Any]) -> str:
    return storage.digest(msgspec.json.encode(settings))


def labels_digest(label_sets: Sequence[LabelSet]) -> str:
    """Identity of label sets' shards, their order included."""
    shards = [shard for label_set in label_sets for shard in label_set.manifest.shards]
    return storage.digest("\n".join(f"{shard.name} {shard.rows} {shard.xxh3_64}" for shard in shards).encode())


def versions() -> dict[str, str]:
    """Versions of what computes."""
    packages = ("catlip", "torch", "timm", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the run folder as its only writer, clear of what a killed one left.

    Raises CatlipError if it is taken, is something else, or nobody could write there.
    """
    require_place(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _LOCK_NAME).touch()
    except OSError as error:
        raise CatlipError(f"No run can be written to {folder} ({error.strerror}). Choose another --out.") from error
    with locked(
        folder / _LOCK_NAME, f"Another catlip command is writing {folder}. Wait for it, or choose another --out."
    ):
        for part in (folder, folder / CHECKPOINT_FOLDER, folder / SHEET_FOLDER):
            storage.remove_leftovers(str(part))
        yield


def continued(folder: Path, record: RunRecord, allowed: Collection[str] = ()) -> RunRecord:
    """`record` as the continuation of the run in `folder`, if there is one.

    allowed: settings that may be others than before; "labels" stands for the label shards. Raises CatlipError if it is
    another run, naming what differs.
    """
    earlier = _read_record(folder)
    if earlier is None:
        return record
    if earlier.vocabulary_digest != record.vocabulary_digest:
        raise CatlipError(
            f"{folder} was trained on {', '.join(earlier.label_sets)}, which had other classes (vocabulary "
            f"{earlier.vocabulary_digest}, now {record.vocabulary_digest}). Use the same label set to continue it, or "
            "another --out."
        )
    changes = config.differences(earlier.config, record.config)
    if earlier.labels_digest != record.labels_digest:
        changes.append((LABELS_KEY, earlier.labels_digest, record.labels_digest))
    refused = [change for change in changes if change[0] not in allowed]
    if refused:
        said = ", ".join(f"{key} = {_told(old)}, now it is {_told(new)}" for key, old, new in refused[:_NAMED_CHANGES])
        more = f", and {len(refused) - _NAMED_CHANGES} more" if len(refused) > _NAMED_CHANGES else ""
        allow = " ".join(f"--allow-change {key}" for key, _, _ in refused)
        raise CatlipError(
            f"{folder} was trained with {said}{more}. Use the same settings to continue it, {allow} to go on with the "
            "new ones, or another --out."
        )
    digests = dict.fromkeys([*earlier.earlier_configs, earlier.config_digest])
    digests.pop(record.config_digest, None)  # which is known in any case
    return msgspec.structs.replace(record, earlier_configs=list(digests))


def write(folder: Path, record: RunRecord, vocabulary: Vocabulary) -> None:
    """Write run.json and the vocabulary."""
    storage.write_bytes(str(folder / VOCABULARY_NAME), vocabulary.to_bytes())
    text = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    storage.write_bytes(str(folder / RECORD_NAME), text)


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """One line of broken.jsonl: a picture that gave its place to the next sample. step: the report that told of it."""

    step: int
    sample: str
    reason: str


def append_lines(path: Path, lines: Sequence[msgspec.Struct]) -> None:
    """Add lines to a file of JSON lines. Raises OSErrors that name it."""
    try:
        with path.open("ab") as file:
            file.write(msgspec.json.Encoder().encode_lines(lines))
    except OSError as error:
        error.filename = str(path)  # "No space left on device" alone does not say where
        raise


def read_metrics(folder: Path) -> list[Metrics]:
    """All lines of metrics.jsonl. Raises CatlipError for one that is broken."""
    path = folder / METRICS_NAME
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(msgspec.json.decode(line, type=Metrics))
        except (ValueError, RecursionError) as error:
            raise CatlipError(
                f"{path}, line {number}: {error}. If the run was killed there, the command that trained it mends it."
            ) from error
    return found


def drop_lines_after(path: Path, step: int) -> None:
    """Forget the lines of steps that were done after the last checkpoint, and will be done again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if msgspec.json.decode(line, type=_Line).step <= step:
                kept.append(line)
        except (ValueError, RecursionError):
            break  # the process was killed while it wrote this line
    storage.write_bytes(str(path), b"".join(kept))


class _Line(msgspec.Struct):
    step: int


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run opened for use. model: all that was learned, in eval mode. encoder, texts: for pictures, and for texts."""

    record: RunRecord
    vocabulary: Vocabulary
    checkpoint: checkpoints.CheckpointInfo
    model: nn.Module
    encoder: nn.Module
    texts: TextSide | None


def open_run(folder: Path, *, best: bool = False, averaged: bool = True) -> TrainedRun:
    """The run's newest checkpoint, or the best of those that were evaluated.

    averaged: with the average of the weights (EMA), not with those of the last step.
    Raises CatlipError if there is none, or if it does not belong to the folder.
    """
    require_run(folder)
    record = _read_record(folder)
    prefix = "ema." if averaged else "model."
    found = _read_checkpoint(folder / CHECKPOINT_FOLDER, prefix, best=best) if record else None
    if record is None or found is None:
        raise CatlipError(f"{folder} has no checkpoint yet. Run the same `catlip train` again; it goes on.")
    path, info, tensors = found
    if not record.continues(info):
        raise CatlipError(
            f"{path} does not belong to {folder / RECORD_NAME}: their digests differ. Bring back the files of one run."
        )
    where = str(folder / VOCABULARY_NAME)
    vocabulary = Vocabulary.from_bytes(storage.read_bytes(where), where)
    if vocabulary.digest != record.vocabulary_digest:
        raise CatlipError(f"{where} is not the vocabulary that {folder} was trained with. Bring that back.")
    if len(vocabulary) != record.num_classes:
        raise CatlipError(
            f"{folder / RECORD_NAME} says another number of classes than {where}. Bring back those of one run."
        )
    kind = kind_of(record.config)
    model = kind.build(record.config, record.num_classes)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CatlipError(
            f"{path} holds other weights than {folder / RECORD_NAME} says. Bring back the files of one run."
        ) from error
    model.eval().requires_grad_(False)
    return TrainedRun(
        record=record,
        vocabulary=vocabulary,
        checkpoint=info,
        model=model,
        encoder=kind.towers(model)[0],
        texts=kind.texts(model, record.config),
    )


def _read_checkpoint(
    folder: Path, prefix: str, *, best: bool
) -> tuple[Path, checkpoints.CheckpointInfo, dict[str, torch.Tensor]] | None:
    """The newest or best one: its path, what it says of itself, its tensors whose names start with `prefix`."""
    for _ in range(_MOST_LOOKS):
        found = checkpoints.newest(folder, lambda _: None)
        if found is not None and best and (found := checkpoints.best_of(folder)) is None:
            raise CatlipError(
                f"No checkpoint in {folder.parent} has been evaluated. Train with --set eval.labels=DIR, or take the "
                "newest."
            )
        if found is None:
            continue
        path, info = found
        try:
            return path, info, checkpoints.read_tensors(path, prefix)
        except Exception as error:  # safetensors, torch's checkpoints and the system raise types of their own
            if path.exists():
                raise CatlipError(
                    f"{path} cannot be read ({error}). Remove it; then the one before it is taken."
                ) from error
            continue  # the run goes on: it deleted this one, and has a newer one
    return None


def _read_record(folder: Path) -> RunRecord | None:
    path = folder / RECORD_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError) as error:
        raise CatlipError(f"{path} cannot be read by this catlip ({error}). Choose another --out.") from error


def _told(value: object) -> str:
    return "nothing" if value is None else as_toml(value)
