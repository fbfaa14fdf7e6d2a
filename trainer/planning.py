"""What a run would take, computed from its recipe alone: nothing is trained, and weights exist on the meta device only.

Numbers of memory and traffic are estimates: they count what must be there, not what an allocator or a library adds.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from labelshards.errors import CatlipError
from trainer.config import Config
from trainer.encoders import acceleration, models, token_dropout
from trainer.objectives.footprint import FLOAT_BYTES
from trainer.objectives.kinds import kind_of
from trainer.stream.steps import Steps
from trainer.training import assembly

# Without a label set: as many classes as the published vocabulary for DataComp has.
USUAL_CLASSES = 24_320


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one process.

    weights: in float32; their average (EMA), gradients and AdamW's two moments are as large. activations: what the
    backward pass needs of one part of the largest step; flash attention keeps less than is counted here. head: logits,
    or what the fused loss keeps instead; of a contrastive objective the cosines.
    """

    weights: int
    average: int
    gradients: int
    moments: int
    activations: int
    head: int
    total: int


class Sort(NamedTuple):
    """Steps that cost the same for a picture: its pixels a side, and the share of its patches that is dropped."""

    image_size: int
    dropped: float


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """steps, samples_seen: of the whole run; samples_seen / num_samples are its epochs, if a label set says how many.

    text_parameters: of a contrastive objective, whose head is the projection of pictures; operations and memory then
    count one caption a picture. forward_flops_per_image: mean over the run's resolutions, a multiplication and an
    addition being two; training takes three times as many. traffic_bytes: what a process sends of gradients, weights
    and embeddings in a step; it receives as much. pixel_bytes: what its largest share of a step copies to the device.
    """

    steps: int
    samples_seen: int
    num_samples: int | None
    batch_size: int
    image_sizes: list[int]
    num_processes: int
    num_classes: int
    encoder_parameters: int
    head_parameters: int
    text_parameters: int
    forward_flops_per_image: float
    training_flops: float
    memory_bytes: Memory
    traffic_bytes: int
    pixel_bytes: int


def plan(config: Config, *, num_processes: int, num_samples: int | None, num_classes: int = USUAL_CLASSES) -> RunPlan:
    """Raises CatlipError for a recipe that could not run, or whose length depends on a label set that is not given."""
    if num_samples is None and config.plan.steps is None:
        raise CatlipError(
            "plan.epochs says how long the run is, so it takes a label set: give --labels, or --set plan.steps=N."
        )
    config.plan.check(len(config.plan.weights) or 1, num_processes, config.model.image_size)
    steps = Steps(config.plan, image_size=config.model.image_size, num_samples=num_samples or 0, seed=config.seed)
    assembly.check(config, steps, num_processes)
    kind = kind_of(config)
    with torch.device("meta"):
        model = kind.build(config, num_classes)
    encoder = kind.towers(model)[0]
    models.check_sizes(encoder, steps.image_sizes())
    head = sum(p.numel() for p in models.head(encoder).parameters())
    parameters = sum(p.numel() for p in model.parameters())
    sorts = _sorts(config, steps)
    costs = _costs(encoder, config, sorts)
    samples_seen = steps[steps.num_steps].first
    head_flops = 2 * head
    largest = steps.largest_batch()
    part = math.ceil(largest / num_processes / config.loop.accumulate)
    beside = kind.footprint(model, config, part, largest, num_processes)
    text_flops, text_bytes = _counted(model, beside.text_forward) if beside.text_forward else (0, 0)
    flops = sum(costs[sort][0] * share for sort, (share, _) in sorts.items()) + head_flops + text_flops
    activations = _activations(config, sorts, costs, text_bytes, num_processes)
    if config.loop.recompute:  # not before: what is counted is the forward pass alone
        acceleration.recompute(encoder)
    return RunPlan(
        steps=steps.num_steps,
        samples_seen=samples_seen,
        num_samples=num_samples,
        batch_size=config.plan.batch_size,
        image_sizes=steps.image_sizes(),
        num_processes=num_processes,
        num_classes=num_classes,
        encoder_parameters=parameters - head - beside.text_parameters,
        head_parameters=head,
        text_parameters=beside.text_parameters,
        forward_flops_per_image=flops,
        training_flops=3.0 * flops * samples_seen,
        memory_bytes=_memory(config, parameters, beside.logits_bytes, activations, num_processes),
        traffic_bytes=_traffic(config, parameters, num_processes) + beside.exchanged_bytes,
        pixel_bytes=3 * steps.most_pixels(num_processes),
    )


def _sorts(config: Config, steps: Steps) -> dict[Sort, tuple[float, int]]:
    """(share of the run's samples, largest batch) of each sort of step, from all steps or, of a long run, from some."""
    stride = max(1, steps.num_steps // 10_000) | 1  # odd, so that no round of sizes is met at the same place always
    seen: Counter[Sort] = Counter()
    largest: Counter[Sort] = Counter()
    for number in range(0, steps.num_steps, stride):
        step = steps[number]
        sort = Sort(step.image_size, token_dropout.share_of(steps.phase(number), config.model))
        seen[sort] += step.batch_size
        largest[sort] = max(largest[sort], step.batch_size)
    return {sort: (count / seen.total(), largest[sort]) for sort, count in seen.items()}


def _costs(encoder: nn.Module, config: Config, sorts: Collection[Sort]) -> dict[Sort, tuple[int, int]]:
    """`_forward` of each sort of step."""
    costs: dict[Sort, tuple[int, int]] = {}
    for dropped in {sort.dropped for sort in sorts}:
        if token_dropout.changes(config.plan):
            token_dropout.set_share(encoder, dropped)
        sizes = sorted(sort.image_size for sort in sorts if sort.dropped == dropped)
        of_size = _costs_of_sizes(encoder, sizes, recompute=config.loop.recompute)
        costs |= {Sort(size, dropped): cost for size, cost in of_size.items()}
    return costs


def _costs_of_sizes(model: nn.Module, sizes: Sequence[int], *, recompute: bool) -> dict[int, tuple[int, int]]:
    """`_forward` of the smallest, middle and largest size as it is, of others by the parabola through these.

    All that an encoder does grows with the number of pixels, and attention with its square.
    """
    measured = sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
    costs = {size: _forward(model, size, recompute=recompute) for size in measured}
    if others := [size for size in sizes if size not in costs]:
        pixels, wanted = np.square(measured, dtype=float), np.square(others, dtype=float)
        curves = [Polynomial.fit(pixels, known, 2)(wanted) for known in zip(*costs.values(), strict=True)]
        costs |= {size: (round(flops), round(kept)) for size, flops, kept in zip(others, *curves, strict=True)}
    return costs


def _forward(model: nn.Module, size: int, *, recompute: bool) -> tuple[int, int]:
    """`_counted` of the encoder for one picture."""
    image_BCHW = torch.empty(1, 3, size, size, device="meta")
    flops, num_bytes = _counted(model, lambda: models.features(model.train(), image_BCHW))
    patch = models.patch_sides(model)
    # Of other encoders nobody knows here what they compute again: all counts as kept.
    if recompute and patch and (blocks := len(getattr(model, "blocks", ()))):
        # A block's inputs stay, and one block at a time is computed again.
        width = models.head(model).in_features
        tokens = (size // patch[0]) * (size // patch[1]) + 1
        num_bytes = blocks * tokens * width * FLOAT_BYTES + num_bytes // blocks
    return flops, num_bytes


def _counted(model: nn.Module, forward: Callable[[], torch.Tensor]) -> tuple[int, int]:
    """(operations, bytes kept for the backward pass in float32) of what `forward` does with weights of `model`."""
    kept: dict[int, int] = {}
    # Storages are told apart by what they wrap: on the meta device none has an address.
    own = {p.untyped_storage()._cdata for p in (*model.parameters(), *model.buffers())}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        held.append(tensor)  # so that no storage gets the number of another
        return tensor

    held: list[torch.Tensor] = []
    with (
        FlopCounterMode(display=False) as counter,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        forward()
    return counter.get_total_flops(), sum(kept.values())


def _activations(
    config: Config,
    sorts: dict[Sort, tuple[float, int]],
    costs: dict[Sort, tuple[int, int]],
    text_bytes: int,
    num_processes: int,
) -> int:
    """Bytes of the most expensive part of any step."""
    most = 0
    for sort, (_, batch_size) in sorts.items():
        samples = math.ceil(batch_size / num_processes / config.loop.accumulate)
        most = max(most, samples * (costs[sort][1] + text_bytes))
    return most * config.loop.activation_bytes() // FLOAT_BYTES


def _memory(config: Config, parameters: int, logits: int, activations: int, num_processes: int) -> Memory:
    slices = num_processes if config.distributed.strategy == "fsdp" else 1
    weights = FLOAT_BYTES * parameters // slices
    parts = {
        "weights": weights,
        "average": weights,
        "gradients": weights,
        "moments": 2 * weights,
        "activations": activations,
        "head": logits,
    }
    return Memory(**parts, total=sum(parts.values()))


def _traffic(config: Config, parameters: int, num_processes: int) -> int:
    """A ring sends (n - 1) / n of all bytes in each pass: two passes sum everywhere, one gathers or scatters."""
    ring = FLOAT_BYTES * parameters * (num_processes - 1) // num_processes
    if config.distributed.strategy == "fsdp":
        return 3 * ring * config.loop.accumulate  # weights forward and backward, and gradients, with every part
    return 2 * ring
