"""The exported folder, there wholly or not at all.

timm          config.json, model.safetensors, README.md and, with a head of known classes, vocabulary.parquet
onnx          the same with model.onnx in place of the weights (beside it model.onnx.data, above 2 GB)
safetensors   model.safetensors alone; its header holds the configuration
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.schema import VOCABULARY_NAME
from trainer.export import card, config
from trainer.export.sources import Exportable

if TYPE_CHECKING:
    from trainer.export.onnx import Converted

TIMM, ONNX, SAFETENSORS = FORMATS = ("timm", "onnx", "safetensors")
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
_NAMES = {config.NAME, card.NAME, VOCABULARY_NAME, WEIGHTS_NAME, ONNX_NAME, f"{ONNX_NAME}.data"}
_METADATA_KEY = "catlip"


@dataclass(frozen=True, kw_only=True)
class Written:
    """files: sizes in bytes, by name. onnx: what became of the conversion, where there was one."""

    files: dict[str, int]
    onnx: "Converted | None" = None


def write(exportable: Exportable, out: Path, form: str) -> Written:
    """Write the folder `out` in one of FORMATS. An earlier export there is replaced once the new one is whole.

    Raises CatlipError if `out` holds anything else, or if ONNX Runtime computes something else than PyTorch.
    """
    if out.resolve() == exportable.folder.resolve():
        raise CatlipError(f"{out} is what is exported. Take another --out.")
    _refuse_strangers(out)
    unfinished = storage.unfinished(out)
    storage.remove(str(unfinished))
    unfinished.mkdir(parents=True)
    try:
        written = _fill(exportable, unfinished, form)
        if out.exists():  # a folder with files cannot be replaced at once
            shutil.rmtree(out)
        unfinished.replace(out)
    finally:
        storage.remove(str(unfinished))
    return written


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
        (folder / WEIGHTS_NAME).chmod(0o644)  # safetensors lets nobody else read it
    if form != SAFETENSORS:
        (folder / config.NAME).write_bytes(exportable.config.to_bytes())
        (folder / card.NAME).write_text(exportable.card, encoding="utf-8")
        if exportable.vocabulary:
            (folder / VOCABULARY_NAME).write_bytes(exportable.vocabulary.to_bytes())
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return Written(files=files, onnx=converted)


def _refuse_strangers(out: Path) -> None:
    if out.is_dir() and (names := {path.name for path in out.iterdir()}):
        if names <= _NAMES and _is_ours(out):
            return
        raise CatlipError(f"{out} holds files that no export put there. Take another --out, or move them away.")
    if out.exists() and not out.is_dir():
        raise CatlipError(f"{out} is a file; an export is a folder. Take another --out.")


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
