"""One step of a run without its loop: loss and gradients, on one process or, by torchrun, on many."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from labelshards.labelset import LabelSet
from tests.tiny_run import TINY
from trainer import loader, models, sharding
from trainer.assembly import assemble
from trainer.config import load
from trainer.distributed import World, joined, sum_over_ranks
from trainer.plan import Plan
from trainer.samples import Samples
from trainer.stepper import Stepper

STILL = ["model.kwargs.drop_path_rate=0.0", "optim.clip_norm=1e9", "plan.batch_size=12"]


def one_step(labels: Path, world: World, *overrides: str) -> dict[str, torch.Tensor]:
    """Gradients by parameter name, and the loss over all ranks under `loss`; whole on every rank."""
    config = load(None, [*TINY, *STILL, *overrides])
    label_set = LabelSet.open(str(labels))
    plan = Plan(Samples(label_set).counts(), seed=0, window_shards=8)
    made = assemble(config, models.class_prior(label_set, labelled_only=False), world)
    batches = loader.StepBatches(
        label_set=label_set, plan=plan, seed=0, batch_size=12, image_size=32, min_scale=0.08, unlabelled="keep",
        max_shards=8, rank=world.rank, world_size=world.size,
    )  # fmt: skip
    batch = batches[0]
    assert isinstance(batch, loader.Batch)
    step = Stepper(
        objective=made.objective, optimizer=made.state.optimizer, scaler=None, world=world, seed=0, batch_size=12,
        num_steps=2, num_parts=config.loop.accumulate, narrow=None, model_config=config.model,
        optim_config=config.optim, after_step=lambda _: None,
    )  # fmt: skip
    result = step(0, batch)
    found = {"loss": torch.tensor(sum_over_ranks([float(result.loss)], world)[0] / world.size)}
    found["norm"] = result.grad_norm
    for name, parameter in made.state.model.named_parameters():
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
