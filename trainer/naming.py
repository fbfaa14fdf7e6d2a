"""MODEL as people name it → which kind of model it is, from the name and the files there alone; what is said of one.

Nothing here imports torch, which takes seconds: a mistyped path is told before it.
"""

from pathlib import Path
from typing import Literal

import msgspec

from labelshards.errors import CatlipError
from labelshards.schema import MANIFEST_NAME

ModelKind = Literal["run", "folder", "timm", "open_clip"]
OPEN_CLIP = "open_clip:"
RECORD_NAME = "run.json"  # of a run
PROBE_FOLDER = "probes"  # in a run, its results
CONFIG_NAME = "config.json"  # of a folder that timm loads
_LOCAL = "local-dir:"  # as timm calls a folder
_RUN = "a run (`catlip train --out`)"
_MODEL = f"{_RUN} or an exported model (`catlip export --out`)"


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a result says of a model. step: of a run, also if it was exported since. weights: where they come from.

    pretrained_on: the label sets of a run; the tag of timm's weights (`augreg_in21k`); "" where nobody said.
    """

    name: str
    kind: ModelKind
    weights: str
    parameters: int
    step: int | None = None
    pretrained_on: str = ""


def kind_of_model(name: str, *, best: bool = False) -> ModelKind:
    """What `name` is: a run or a folder with an exported model; else the name of a model, which only timm can know.

    best: its best checkpoint is asked for. Raises CatlipError for a path where no model is, and for `best` of what has
    no checkpoints.
    """
    kind = _kind_of(name)
    if best and kind != "run":
        raise CatlipError(f"--best is for runs; {name} has no checkpoints to choose from.")
    return kind


def _kind_of(name: str) -> ModelKind:
    if name.startswith(OPEN_CLIP):
        return "open_clip"
    folder = folder_of(name)
    if folder.is_dir() or name.startswith(_LOCAL):
        return kind_of_folder(folder)
    if "/" not in name:
        return "timm"
    if not folder.exists():
        raise CatlipError(f"{folder} does not exist. Give the folder of {_MODEL}. Names of timm have no slash.")
    return kind_of_folder(folder)


def folder_of(name: str) -> Path:
    """The folder that `name` means, if it is none of a model's names."""
    return Path(name.removeprefix(_LOCAL))


def kind_of_folder(folder: Path) -> Literal["run", "folder"]:
    """Whether a run or an exported model is in `folder`. Raises CatlipError if neither is."""
    if (folder / CONFIG_NAME).is_file():
        return "folder"
    if is_run(folder):
        return "run"
    raise _holds_none(folder, _MODEL)


def is_run(folder: Path) -> bool:
    """True if a run was begun in `folder`."""
    return (folder / RECORD_NAME).is_file()


def require_run(folder: Path) -> None:
    """Raise CatlipError if there is no run in `folder`."""
    if not is_run(folder):
        raise _holds_none(folder, _RUN)


def _holds_none(folder: Path, wanted: str) -> CatlipError:
    give = f"Give the folder of {wanted}."
    if not folder.exists():
        return CatlipError(f"{folder} does not exist. {give}")
    if not folder.is_dir():
        return CatlipError(f"{folder} is a file. {give}")
    if (folder / MANIFEST_NAME).is_file():
        return CatlipError(f"{folder} is a label set. {give}")
    if (folder / CONFIG_NAME).is_file():
        return CatlipError(f"{folder} is an exported model. {give}")
    return CatlipError(f"{folder} holds nothing of the kind. {give}")


def require_place(folder: Path) -> None:
    """Raise CatlipError if a run in `folder` would overwrite what is no run."""
    if folder.exists() and not folder.is_dir():
        raise CatlipError(f"{folder} is a file; a run is a folder. Choose another --out.")
    held = {MANIFEST_NAME: "a label set", CONFIG_NAME: "an exported model"}
    for name, what in held.items():
        if (folder / name).exists() and not is_run(folder):
            raise CatlipError(f"{folder} is {what}, and a run would overwrite its files. Choose another --out.")
