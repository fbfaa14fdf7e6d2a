"""The state of training: everything that a step changes. Random state is no part of it: every step seeds its own."""

import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer import sharding
from trainer.encoders.range_augment import RangeAugment
from trainer.optim import Ema

_MOMENTS = ("exp_avg", "exp_avg_sq")


class TrainState:
    """Everything that a step changes: `model`, its running average `ema`, the optimiser's moments, fp16's `scaler`,
    and the ranges of RangeAugment.
    """

    def __init__(
        self,
        model: nn.Module,
        ema: Ema,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None = None,
        augment: RangeAugment | None = None,
    ) -> None:
        self.model = model
        self.ema = ema
        self.optimizer = optimizer
        self.scaler = scaler
        self.augment = augment

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by name: `model.<name>`, `ema.<name>`, `augment.<name>`, `optim.<moment>.<parameter name>`,
        `scaler.<name>`.
        """
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        named |= {f"ema.{name}": tensor for name, tensor in self.ema.module.state_dict().items()}
        if self.augment:
            named |= {f"augment.{name}": tensor for name, tensor in self.augment.state_dict().items()}
        for name, parameter in self._parameters().items():
            named |= {f"optim.{moment}.{name}": value for moment, value in self.optimizer.state[parameter].items()}
        if self.scaler:
            named |= {f"scaler.{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}
        return named

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over what `tensors()` gave in an earlier process, whole or sharded as this state is.

        Raises CatlipError if they are those of another encoder.
        """
        try:
            _fill(self.model, _under("model.", tensors))
            _fill(self.ema.module, _under("ema.", tensors))
            if self.augment:
                _fill(self.augment, _under("augment.", tensors))
        except (KeyError, RuntimeError) as error:
            raise CatlipError(f"The checkpoint does not fit this encoder ({error}).") from error
        parameters = self._parameters()
        for key, value in _under("optim.", tensors).items():
            moment, _, name = key.partition(".")
            # Moments lie where their parameter lies; the number of steps is a scalar.
            place = parameters[name] if value.ndim else sharding.local([parameters[name]])[0]
            self.optimizer.state[parameters[name]][moment] = sharding.like(value, place)
        if self.scaler:
            self.scaler.load_state_dict({name: value.item() for name, value in _under("scaler.", tensors).items()})

    def places(self) -> dict[str, torch.Tensor]:
        """For every tensor that `tensors()` of a run under way has, one of its kind: of its shape, device and shards.

        A fresh optimiser has no moments yet; they are of their parameter's kind.
        """
        found = self.tensors()
        for name, parameter in self._parameters().items():
            found |= {f"optim.{moment}.{name}": parameter.detach() for moment in _MOMENTS}
        return found

    def _parameters(self) -> dict[str, nn.Parameter]:
        """What the optimiser moves, by name."""
        more = self.augment.named_parameters(prefix="augment") if self.augment else ()
        return dict(self.model.named_parameters()) | dict(more)


def _fill(module: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    expected = module.state_dict()
    module.load_state_dict({name: sharding.like(tensor, expected[name]) for name, tensor in tensors.items()})


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
