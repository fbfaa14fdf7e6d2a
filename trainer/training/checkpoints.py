"""Checkpoints: safetensors without pickle, there wholly or not at all; one file, or a folder with one of each rank.

step-00001000.safetensors    everything, and in its header what it is (`CheckpointInfo`)
step-00001000/               under sharded_checkpoints: each rank's slices, and info.json, which vouches for them
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import sharding
from trainer.distributed import World, wait_for_all

FORMAT_VERSION = 2
INFO_NAME = "info.json"
_METADATA_KEY = "catlip"
_SUFFIX = ".safetensors"


class CheckpointInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says of itself.

    step: steps done. samples: samples seen by all ranks. bad: broken pictures met among them, by reason. score: the
    held-out mAP of its averaged weights, if it was measured at this step. files: of a sharded one, with their sizes.
    """

    format_version: int = FORMAT_VERSION
    step: int
    samples: int
    bad: dict[str, int]
    config_digest: str
    vocabulary_digest: str
    score: float | None = None
    files: dict[str, int] = {}


def save(folder: Path, tensors: dict[str, torch.Tensor], info: CheckpointInfo, world: World) -> Path:
    """Write a checkpoint into `folder` as one file, and return its path. All ranks must call this.

    Raises CatlipError if there is no room for it.
    """
    path = folder / f"step-{info.step:08d}{_SUFFIX}"
    whole = sharding.gathered(tensors, keep=world.is_main)
    if world.is_main:
        contiguous = {name: tensor.contiguous() for name, tensor in whole.items()}  # as safetensors wants them
        try:
            with storage.whole_file(path) as temporary:
                save_file(contiguous, temporary, metadata={_METADATA_KEY: msgspec.json.encode(info).decode()})
        except (OSError, SafetensorError) as error:
            raise _no_room(path, error) from error
    return path


def save_sharded(folder: Path, tensors: dict[str, torch.Tensor], info: CheckpointInfo, world: World) -> Path:
    """Write a checkpoint into `folder` as a folder of slices, and return its path. All ranks must call this.

    Raises CatlipError if there is no room for it.
    """
    from trainer.training import sharded  # torch's checkpoints take half a second to import, and most runs need none

    path = folder / f"step-{info.step:08d}"
    unfinished = storage.unfinished(path)
    try:
        if world.is_main:
            unfinished.mkdir(parents=True)
        wait_for_all(world)
        sharded.write(unfinished, tensors)
        if world.is_main:
            files = {file.name: file.stat().st_size for file in sorted(unfinished.iterdir())}
            vouched = msgspec.structs.replace(info, files=files)
            storage.write_bytes(str(unfinished / INFO_NAME), msgspec.json.encode(vouched))
            _remove(path)  # one that could not be read
            unfinished.replace(path)
    except OSError as error:
        if world.is_main:
            shutil.rmtree(unfinished, ignore_errors=True)
        raise _no_room(path, error) from error
    return path


def _no_room(path: Path, error: Exception) -> CatlipError:
    return CatlipError(
        f"{path} cannot be written: {error}. Make room there, or lower loop.keep_checkpoints; then the same command "
        "goes on from the checkpoint before it."
    )


def prune(folder: Path, keep: int) -> None:
    """Delete all checkpoints but the newest `keep` and the best, if any has a score."""
    best = best_of(folder)
    for path in _paths(folder)[keep:]:
        if best is None or path != best[0]:
            _remove(path)


def newest(folder: Path, note: Callable[[str], None]) -> tuple[Path, CheckpointInfo] | None:
    """The newest checkpoint that can be read, or None; `note` is told of each that cannot."""
    for path in _paths(folder):
        try:
            return path, read_info(path)
        except CatlipError as error:
            if path.exists():  # else a run that goes on has just deleted it
                note(f"{error} Going back to the one before it.")
    return None


def best_of(folder: Path) -> tuple[Path, CheckpointInfo] | None:
    """The checkpoint with the highest score, the newest of equals; None if none that can be read has one."""
    best: tuple[float, Path, CheckpointInfo] | None = None
    for path in reversed(_paths(folder)):
        try:
            info = read_info(path)
        except CatlipError:
            continue
        if info.score is not None and (best is None or info.score >= best[0]):
            best = info.score, path, info
    return best and best[1:]


def read_info(path: Path) -> CheckpointInfo:
    """What a checkpoint says of itself. Raises CatlipError if it is damaged or of another format."""
    try:
        text = (path / INFO_NAME).read_text() if path.is_dir() else _header(path)
        info = msgspec.json.decode(text, type=CheckpointInfo)
        for name, size in info.files.items():
            if (found := (path / name).stat().st_size) != size:
                raise OSError(f"{name} has {found:,} bytes, not {size:,}")
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise CatlipError(f"{path} is not a readable checkpoint ({type(error).__name__}: {error}).") from error
    if info.format_version != FORMAT_VERSION:
        raise CatlipError(
            f"{path} has checkpoint format {info.format_version}; this catlip reads {FORMAT_VERSION}. "
            "Read it with the one that wrote it."
        )
    return info


def read_tensors(
    path: Path, prefix: str = "", places: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """Tensors whose names start with `prefix`, named without it, in main memory.

    Of a sharded checkpoint each rank reads only its slices of those that are sharded in `places`.
    """
    if path.is_dir():
        from trainer.training import sharded

        found = sharded.read(path, prefix, places)
        return {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    with safe_open(path, framework="pt") as file:
        return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118  (not a dict)


def _header(path: Path) -> str:
    with safe_open(path, framework="pt") as file:
        return str((file.metadata() or {})[_METADATA_KEY])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _paths(folder: Path) -> list[Path]:
    """Finished checkpoints, newest first."""
    found = [*folder.glob(f"step-*{_SUFFIX}"), *(path for path in folder.glob("step-*") if path.is_dir())]
    return sorted((path for path in found if storage.is_finished(path)), key=lambda path: path.name, reverse=True)
