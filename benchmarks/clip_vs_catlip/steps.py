"""What a step costs: CPU seconds, memory, operations and parameters, each case in a process of its own."""

import time
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.clip_vs_catlip.cases import batch_of, config_of, made
from benchmarks.train_throughput.measuring import peak_mib
from trainer.distributed import World


class StepCost(NamedTuple):
    """seconds: CPU, of a whole step (forward, backward, AdamW, average). mib: at most in use, weights and all, beyond
    what the process had before. parameters: that are learned. flops: of a forward and backward pass.
    """

    seconds: float
    mib: float
    parameters: int
    flops: int


def step_cost(
    objective: str, encoder: str, size: int, batch_size: int, repeats: int, more: tuple[str, ...]
) -> StepCost:
    """The fastest of `repeats` steps, after one in which operations are counted; without repeats, these alone."""
    torch.manual_seed(0)
    before = peak_mib(fresh=True)
    config = config_of(objective, encoder, size, batch_size, *more)
    assembly, step = made(config, World(device=torch.device("cpu")))
    batch = batch_of(config, batch_size)
    with FlopCounterMode(display=False) as counter:
        step(0, batch)
    seconds = []
    for number in range(1, 1 + repeats):
        start = time.process_time()
        step(number, batch)
        seconds.append(time.process_time() - start)
    parameters = sum(parameter.numel() for parameter in assembly.state.model.parameters())
    return StepCost(min(seconds, default=0.0), peak_mib() - before, parameters, counter.get_total_flops())


def without_fused_attention(
    objective: str, encoder: str, size: int, batch_size: int, repeats: int, more: tuple[str, ...]
) -> StepCost:
    """The same with attention as products that lie in memory, as it was before kernels did it piece by piece."""
    from timm.layers.config import set_fused_attn

    set_fused_attn(False)
    return step_cost(objective, encoder, size, batch_size, repeats, more)
