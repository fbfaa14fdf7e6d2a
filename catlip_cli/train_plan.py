"""`catlip train --plan`: what a recipe would take, as lines or as one JSON object."""

from typing import TYPE_CHECKING

from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.planning import RunPlan

_GIB = 2**30


def show(
    config: "Config",
    labels: tuple[str, ...],
    num_processes: int,
    moved: dict[str, str],
    then: list[str],
    *,
    as_json: bool,
) -> int:
    """Print the plan of a run on these label sets, or without any on as many classes as the paper's.

    then: the words of the command that measures what is estimated here.
    """
    import torch

    from trainer import planning
    from trainer.distributed import World
    from trainer.stream.data import Data

    if labels:
        data = Data.open(config, labels, World(device=torch.device("cpu")), moved)
        samples, classes = data.reader.plan.num_samples, len(data.prior_K)
        plan = planning.plan(config, num_processes=num_processes, num_samples=samples, num_classes=classes)
    else:
        plan = planning.plan(config, num_processes=num_processes, num_samples=None)
    if as_json:
        terminal.print_json(plan)
    else:
        _print(config, plan)
        terminal.print_next(*then, when="which measures what this estimates")
    return 0


def _print(config: "Config", plan: "RunPlan") -> None:
    epochs = f", {plan.samples_seen / plan.num_samples:,.1f} epochs of {plan.num_samples:,}" if plan.num_samples else ""
    sizes = " ".join(map(str, plan.image_sizes))
    memory = plan.memory_bytes
    head = f"head for {plan.num_classes:,} classes"
    sent = "gradients and weights"
    if plan.text_parameters:
        head, sent = f"projection, {plan.text_parameters / 1e6:,.1f} M of the text tower", "gradients and embeddings"
    terminal.print_facts(
        f"Plan of {config.model.name}, {plan.num_processes:,} process{'es' * (plan.num_processes != 1)}",
        [
            ("steps", f"{plan.steps:,} of {plan.batch_size:,} samples"),
            ("samples seen", f"{plan.samples_seen:,}{epochs}"),
            ("resolutions", f"{sizes} px"),
            (
                "parameters",
                f"{plan.encoder_parameters / 1e6:,.1f} M, and {plan.head_parameters / 1e6:,.1f} M of the {head}",
            ),
            ("forward pass", f"{plan.forward_flops_per_image / 1e9:,.1f} GFLOPs an image, on average"),
            ("whole training", f"{plan.training_flops:.2e} FLOPs"),
            (
                "memory",
                f"about {memory.total / _GIB:,.1f} GiB a process: {memory.weights / _GIB:,.1f} weights, "
                f"{memory.average / _GIB:,.1f} average, {memory.gradients / _GIB:,.1f} gradients, "
                f"{memory.moments / _GIB:,.1f} moments, {memory.activations / _GIB:,.1f} activations, "
                f"{memory.head / _GIB:,.1f} head",
            ),
            (
                "traffic",
                f"{plan.traffic_bytes / 1e6:,.0f} MB of {sent} a step and process, "
                f"{plan.pixel_bytes / 1e6:,.0f} MB of pixels to the device",
            ),
        ],
    )
