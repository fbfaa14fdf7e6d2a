"""The exported folder, there wholly or not at all.

timm          config.json, model.safetensors, README.md and, with a head of known classes, vocabulary.parquet
onnx          the same with model.onnx in place of the weights (beside it model.onnx.data, above 2 GB)
safetensors   model.safetensors alone; its header holds the configuration
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.flock import locked
from labelshards.schema import VOCABULARY_NAME
from trainer.export import card, config
from trainer.export.sources import Exportable
from trainer.naming import CONFIG_NAME

if TYPE_CHECKING:
    from trainer.export.onnx import Converted

TIMM, ONNX, SAFETENSORS = FORMATS = ("timm", "onnx", "safetensors")
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
_NAMES = {CONFIG_NAME, card.NAME, VOCABULARY_NAME, WEIGHTS_NAME, ONNX_NAME, f"{ONNX_NAME}.data"}
_METADATA_KEY = "catlip"


@dataclass(frozen=True, kw_only=True)
class Written:
    """files: sizes in bytes, by name. onnx: what became of the conversion, where there was one."""

    files: dict[str, int]
    onnx: "Converted | None" = None


def write(exportable: Exportable, out: Path, form: str) -> Written:
    """Write the folder `out` in one of FORMATS. An earlier export there is replaced once the new one is whole.

    Raises CatlipError if `out` holds anything else, if another process writes it, if there is no room for it, or if
    ONNX Runtime computes something else than PyTorch.
    """
    if out.resolve() == exportable.folder.resolve():
        raise CatlipError(f"{out} is what is exported. Choose another --out.")
    out = out.resolve() if out.is_symlink() else out  # the link stays
    with _unfinished(out) as unfinished:
        _refuse_strangers(out)
        try:
            written = _fill(exportable, unfinished, form)
        except (OSError, SafetensorError) as error:
            raise CatlipError(f"{out} cannot be written: {error}. Make room there, or choose another --out.") from error
        if out.exists():
            out.replace(_earlier(out))
        unfinished.replace(out)
    return written


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, this process's own, and gone at the end; what a killed one left is cleared."""
    folder, earlier = storage.unfinished(out), _earlier(out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")
    with locked(lock, f"Another catlip export is writing {out}. Wait for it, or choose another --out."):
        try:
            if earlier.exists() and not out.exists():
                earlier.replace(out)  # killed between the two renames
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
        finally:
            for path in (folder, earlier, lock):
                storage.remove(str(path))


def _earlier(out: Path) -> Path:
    """Where an earlier export waits until the new one is in its place: a folder leaves and comes in one step each."""
    return out.with_name(f"{storage.unfinished(out).name}-earlier")


def _fill(exportable: Exportable, folder: Path, form: str) -> Written:
    converted = None
    if form == ONNX:
        from trainer.export.onnx import convert  # its packages are an extra, and take seconds to import

        converted = convert(exportable.model, exportable.config.image_size, folder / ONNX_NAME)
    else:
        # As safetensors wants them.
        tensors = {name: tensor.contiguous() for name, tensor in exportable.model.state_dict().items()}
        about = msgspec.json.encode(exportable.config).decode()
        save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt", _METADATA_KEY: about})
        _sort_metadata(folder / WEIGHTS_NAME)
        (folder / WEIGHTS_NAME).chmod(0o644)  # safetensors lets nobody else read it
    if form != SAFETENSORS:
        (folder / CONFIG_NAME).write_bytes(exportable.config.to_bytes())
        (folder / card.NAME).write_text(exportable.card, encoding="utf-8")
        if exportable.vocabulary:
            (folder / VOCABULARY_NAME).write_bytes(exportable.vocabulary.to_bytes())
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return Written(files=files, onnx=converted)


def _sort_metadata(path: Path) -> None:
    """safetensors writes metadata in an order drawn by lot; sorted, the same weights are the same bytes."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = msgspec.json.decode(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        data = msgspec.json.encode(header).ljust(size)
        assert len(data) == size, "both write JSON without spaces, and escape the same"
        file.seek(8)
        file.write(data)


def _refuse_strangers(out: Path) -> None:
    if out.is_dir() and (names := {path.name for path in out.iterdir()}):
        if names <= _NAMES and _is_ours(out):
            return
        raise CatlipError(f"{out} holds files that no export put there. Choose another --out, or move them away.")
    if out.exists() and not out.is_dir():
        raise CatlipError(f"{out} is a file; an export is a folder. Choose another --out.")


def _is_ours(folder: Path) -> bool:
    try:
        config.read(folder)
    except CatlipError:
        try:
            with safe_open(folder / WEIGHTS_NAME, framework="pt") as file:
                return _METADATA_KEY in (file.metadata() or {})
        except (OSError, SafetensorError):
            return False
    return True
