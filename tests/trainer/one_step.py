"""One step of a run without its loop: loss and gradients, on one process or, by torchrun, on many."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.tiny_run import TINY
from trainer import sharding
from trainer.config import load
from trainer.distributed import World, joined, sum_over_ranks
from trainer.stream import loader
from trainer.stream.data import Data
from trainer.training.assembly import assemble
from trainer.training.stepper import Stepper

STILL = ["model.kwargs.drop_path_rate=0.0", "optim.clip_norm=1e9", "plan.batch_size=12"]


def one_step(labels: Path, world: World, *overrides: str) -> dict[str, torch.Tensor]:
    """Gradients by parameter name, and the loss over all ranks under `loss`; whole on every rank."""
    config = load(None, [*TINY, *STILL, *overrides])
    data = Data.open(config, [str(labels)], world, None)
    made = assemble(config, data.prior_K, [32], world)
    [batch] = loader.batches(data.reader, range(1), num_workers=0, pin_memory=False)
    result = Stepper(made, data.reader.steps)(0, batch)
    found = {"loss": torch.tensor(sum_over_ranks([float(result.loss)], world)[0] / world.size)}
    found["norm"] = result.grad_norm
    parameters = [*made.state.model.named_parameters()]
    if made.state.augment:
        parameters += made.state.augment.named_parameters(prefix="augment")
    for name, parameter in parameters:
        assert parameter.grad is not None, name
        found[name] = sharding.whole(parameter.grad)
    return found


if __name__ == "__main__":
    labels, out, *cases = sys.argv[1:]
    with joined() as world:
        for number, case in enumerate(cases):
            gradients = one_step(Path(labels), world, *case.split())
            if world.is_main:
                save_file(gradients, Path(out) / str(number))
