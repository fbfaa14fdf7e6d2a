"""The paper's 2.7 x, part by part: what was measured, what is computed, and what is left to be inferred."""

from collections.abc import Sequence
from typing import NamedTuple

from trainer.config import load
from trainer.planning import plan

# Relative GPU-hours of an epoch of DataComp, ViT-B/16, CatLIP to CLIP (arXiv 2404.15653, figure 1): 0.37.
PAPER = 1 / 0.37
# The same number for CLIP, which trains at sizes near 224 px, by the published configurations.
_CLIP_SAMPLER = 1.03
_ON_CPU = "measured on a CPU"


class Part(NamedTuple):
    """factor: by how much it makes CatLIP faster; None where nobody here can say. how: measured, computed, inferred."""

    what: str
    factor: float | None
    how: str
    says: str


def resolution_factor() -> float:
    """How much less an image costs over the paper's 13 sizes than at 224 px; operations of ViT-B/16."""
    common = ["plan.steps=1300", "plan.batch_size=1024"]
    sizes = [f"plan.multi_scale.{key}" for key in ("num_sizes=25", "min_size=128", "max_size=320", "multiple=16")]
    one, many = (
        plan(load(None, overrides), num_processes=1, num_samples=None) for overrides in (common, [*common, *sizes])
    )
    return one.forward_flops_per_image / many.forward_flops_per_image


def parts(
    text_tower: float, attention: float | None, large_batches: float | None, traffic: float | None
) -> Sequence[Part]:
    """All parts, the unexplained rest last. text_tower: operations, CLIP to CatLIP. The others: as `Part.factor`.

    attention, large_batches: measured on a CPU, so they show the direction and stand outside of the product.
    """
    resolutions = resolution_factor()
    sampler = resolutions / _CLIP_SAMPLER
    explained = text_tower * sampler
    rest = PAPER / explained
    return [
        Part("no text tower: operations of ViT-B/16", text_tower, "computed", "counted forward and backward, 224 px"),
        Part("resolutions", sampler, "computed", f"{resolutions:.2f} for CatLIP's 13, {_CLIP_SAMPLER} for CLIP's"),
        Part("both", explained, "computed", "their product"),
        Part("attention in one kernel", attention, _ON_CPU, "a step of ViT-S/16 without it, by one with it"),
        Part(
            "a process's batch four times as large", large_batches, _ON_CPU, "an image of ViT-S/16; no GPU was filled"
        ),
        Part(
            "bytes sent, 64 processes of 1,024", traffic, "computed", "from bytes counted in two; not a share of time"
        ),
        Part("bf16", None, "not measured", "this machine computes it by way of float32"),
        Part("these four together", rest, "inferred", f"what is left of {PAPER:.2f}"),
    ]


def show(found: Sequence[Part]) -> None:
    """As a Markdown table."""
    print("| part of the paper's 2.7 x | factor | how it is known | what it says |\n| --- | --- | --- | --- |")
    for part in found:
        factor = "" if part.factor is None else f"{part.factor:.2f}"
        print(f"| {part.what} | {factor} | {part.how} | {part.says} |")
    print()
