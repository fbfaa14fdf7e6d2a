"""What a probe found: one JSON file for each thing that was asked, that says everything needed to compare it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.flock import awaited
from labelshards.matching import Match
from trainer.naming import ModelFacts

FORMAT = "catlip-probe"
FORMAT_VERSION = 1
_DIGEST_LENGTH = 8  # hex digits: enough for the results that one folder holds


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The data: pictures of each split, and what was left out, by reason.

    classes_without_test: how many classes have training pictures alone. chance: the accuracy of always naming the most
    frequent class where each picture has one, else the mAP of an order at random. test_path: where the test split lies,
    if elsewhere.
    """

    name: str
    path: str
    test_path: str = ""
    classes: list[str]
    num_train: int
    num_test: int
    left_out: dict[str, int]
    classes_without_test: int
    chance: float | None = None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A number measured once for each seed. std: of the sample (n - 1), 0 with one seed."""

    mean: float
    std: float
    values: list[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Mean and standard deviation of some values."""
        std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return cls(mean=float(np.mean(values)), std=std, values=[float(each) for each in values])


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a result. encoder: `model`, `random`, or `majority`, which looks at no picture.

    setting: what lines differ in ("10 %", "k = 20", "5 shots"). chosen: hyperparameters that held-out training pictures
    chose, of the first seed. per_class: by class id, mean over seeds, null where the test split has no such picture.
    """

    encoder: str
    setting: str
    metrics: dict[str, Spread]
    chosen: dict[str, str] = {}
    per_class: list[float | None] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a result file. settings: everything that the protocol's name stands for.

    matches: of probes through the vocabulary, what stands for each class of the data. weights_digest: of the model's
    weights, and of the transform in front of them.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    task: str
    protocol: str
    settings: dict[str, Any]
    model: ModelFacts
    weights_digest: str = ""
    data: DataFacts
    seeds: list[int]
    scores: list[Score]
    versions: dict[str, str]
    matches: list[Match] = []

    @property
    def file_name(self) -> str:
        """MODEL-stepN-TASK-PROTOCOL-DATA-DIGEST.json, the digest being that of all that was asked and of the weights.

        So the same probe again takes the place of its result, and no other one does.
        """
        step = [f"step{self.model.step}"] if self.model.step is not None else []
        parts = [self.model.name, *step, self.task, self.protocol, self.data.name]
        asked = [*parts, self.settings, self.seeds, self.data.path, self.data.test_path, self.weights_digest]
        parts.append(storage.digest(msgspec.json.encode(asked, order="sorted"))[:_DIGEST_LENGTH])
        return "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in part) for part in parts) + ".json"


def check_writable(folder: Path) -> None:
    """Make `folder`, into which results will go. Raises CatlipError if they could not, before hours of work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CatlipError(f"No result can be written to {folder} ({error.strerror}). Choose another --out.") from error


def write(folder: Path, result: Result) -> Path:
    """Write a result into `folder`, over that of the same probe."""
    path = folder / result.file_name
    folder.mkdir(parents=True, exist_ok=True)
    with awaited(folder / ".lock"):  # so that what is half-written there is a killed process's
        storage.remove_leftovers(str(folder))
        storage.write_bytes(str(path), msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def read(path: Path) -> Result:
    """A result file. Raises CatlipError if it is none, or of another version."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Result)
    except FileNotFoundError as error:
        raise CatlipError(f"{path} does not exist. `catlip probe` writes such files.") from error
    except (ValueError, RecursionError) as error:
        raise CatlipError(f"{path} is no result of `catlip probe` ({error}). Run the probe again.") from error
    if (found.format, found.format_version) != (FORMAT, FORMAT_VERSION):
        raise CatlipError(f"{path} is a result of another version. Run the probe again.")
    return found
