"""The state of training, and its checkpoints: one safetensors file each, no pickle, there wholly or not at all.

Random state is not part of it: every step seeds its own.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import sharding
from trainer.optim import Ema

FORMAT_VERSION = 2
NUM_KEPT = 2
_METADATA_KEY = "catlip"
_SUFFIX = ".safetensors"


class CheckpointInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says of itself.

    step: steps done. samples: samples seen by all ranks. bad: broken pictures met among them, by reason.
    """

    format_version: int = FORMAT_VERSION
    step: int
    samples: int
    bad: dict[str, int]
    config_digest: str
    vocabulary_digest: str


class TrainState:
    """Everything that a step changes: `model`, its running average `ema`, the optimiser's moments, fp16's `scaler`."""

    def __init__(
        self, model: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler | None = None
    ) -> None:
        self.model = model
        self.ema = ema
        self.optimizer = optimizer
        self.scaler = scaler

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by name: `model.<name>`, `ema.<name>`, `optim.<moment>.<parameter name>`, `scaler.<name>`."""
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        named |= {f"ema.{name}": tensor for name, tensor in self.ema.module.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            named |= {f"optim.{moment}.{name}": value for moment, value in self.optimizer.state[parameter].items()}
        if self.scaler:
            named |= {f"scaler.{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}
        return named

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over what `tensors()` gave in an earlier process, as whole tensors.

        Raises CatlipError if they are those of another encoder.
        """
        try:
            _fill(self.model, _under("model.", tensors))
            _fill(self.ema.module, _under("ema.", tensors))
        except (KeyError, RuntimeError) as error:
            raise CatlipError(f"The checkpoint does not fit this encoder ({error}).") from error
        parameters = dict(self.model.named_parameters())
        for key, value in _under("optim.", tensors).items():
            moment, _, name = key.partition(".")
            # Moments lie where their parameter lies; the number of steps is a scalar.
            place = parameters[name] if value.ndim else sharding.local([parameters[name]])[0]
            self.optimizer.state[parameters[name]][moment] = sharding.like(value, place)
        if self.scaler:
            self.scaler.load_state_dict({name: value.item() for name, value in _under("scaler.", tensors).items()})


def save(folder: Path, tensors: dict[str, torch.Tensor], info: CheckpointInfo) -> Path:
    """Write a checkpoint into `folder`, then delete all but the newest NUM_KEPT. Returns its path."""
    path = folder / f"step-{info.step:08d}{_SUFFIX}"
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with storage.whole_file(path) as temporary:
        save_file(contiguous, temporary, metadata={_METADATA_KEY: msgspec.json.encode(info).decode()})
    for old in _paths(folder)[NUM_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path, note: Callable[[str], None]) -> tuple[Path, CheckpointInfo] | None:
    """The newest checkpoint that can be read, or None; `note` is told of each that cannot."""
    for path in _paths(folder):
        try:
            return path, read_info(path)
        except CatlipError as error:
            note(f"{error} Going back to the one before it.")
    return None


def read_info(path: Path) -> CheckpointInfo:
    """A checkpoint's metadata. Raises CatlipError if the file is damaged or of another format."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        info = msgspec.json.decode(metadata[_METADATA_KEY], type=CheckpointInfo)
    except (SafetensorError, OSError, KeyError, msgspec.MsgspecError) as error:
        raise CatlipError(f"{path} is not a readable checkpoint ({type(error).__name__}: {error}).") from error
    if info.format_version != FORMAT_VERSION:
        raise CatlipError(f"{path} has checkpoint format {info.format_version}; this catlip reads {FORMAT_VERSION}.")
    return info


def read_tensors(path: Path, prefix: str = "", device: str = "cpu") -> dict[str, torch.Tensor]:
    """Tensors whose names start with `prefix`, named without it."""
    with safe_open(path, framework="pt", device=device) as file:
        return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118  (not a dict)


def _fill(module: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    expected = module.state_dict()
    module.load_state_dict({name: sharding.like(tensor, expected[name]) for name, tensor in tensors.items()})


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _paths(folder: Path) -> list[Path]:
    """Finished checkpoints, newest first."""
    return sorted(folder.glob(f"step-*{_SUFFIX}"), reverse=True)
