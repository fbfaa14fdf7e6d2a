"""What an image costs under a schedule of resolutions and dropped tokens, beside CLIP and CatLIP at one resolution."""

import statistics
from pathlib import Path
from typing import NamedTuple

from benchmarks.clip_vs_catlip.cases import CATLIP, CLIP, FUSED
from benchmarks.clip_vs_catlip.steps import step_cost
from benchmarks.train_throughput.measuring import alone
from trainer.config import load
from trainer.encoders import token_dropout

RECIPE = Path(__file__).parents[2] / "recipes" / "datacomp_vit_b16_fast.toml"


class Piece(NamedTuple):
    """A part of the run: its share of the steps, and what they see."""

    share: float
    image_size: int
    dropped: float


def pieces() -> list[Piece]:
    """Those of the recipe, in order."""
    config = load(RECIPE)
    found, begin = [], 0.0
    for phase in config.plan.phases:
        found.append(Piece(phase.until - begin, phase.image_size, token_dropout.share_of(phase, config.model)))
        begin = phase.until
    return [*found, Piece(1 - begin, config.model.image_size, token_dropout.share_of(None, config.model))]


def show_fast(encoder: str, batch_size: int, num_rounds: int, repeats: int) -> None:
    """A table: each piece of the recipe with a smaller encoder, and the whole of it."""
    size = load(RECIPE).model.image_size
    clip: list[float] = []
    catlip: list[float] = []
    by_piece: dict[Piece, list[float]] = {piece: [] for piece in pieces()}
    for _ in range(num_rounds):
        clip.append(alone(step_cost, CLIP, encoder, size, batch_size, repeats, ()).seconds / batch_size)
        catlip.append(alone(step_cost, CATLIP, encoder, size, batch_size, repeats, ()).seconds / batch_size)
        for piece, seconds in by_piece.items():
            more = (f"model.kwargs.patch_drop_rate={piece.dropped}",)
            cost = alone(step_cost, FUSED, encoder, piece.image_size, batch_size, repeats, more)
            seconds.append(cost.seconds / batch_size)
    whole = [sum(piece.share * seconds[number] for piece, seconds in by_piece.items()) for number in range(num_rounds)]
    print(f"An image of ViT-{encoder}/16 under {RECIPE.name}, {batch_size} in a step, as many samples for all:\n")
    print("| what | ms an image | CLIP ÷ it | CatLIP at one resolution ÷ it |\n| --- | --- | --- | --- |")
    rows = {f"clip, {size} px": clip, f"catlip, {size} px": catlip}
    rows |= {f"{p.share:.0%} at {p.image_size} px, {p.dropped:.0%} dropped": each for p, each in by_piece.items()}
    for name, seconds in (rows | {"all of it": whole}).items():
        ratios = [statistics.median(a / b for a, b in zip(against, seconds, strict=True)) for against in (clip, catlip)]
        print(f"| {name} | {1e3 * statistics.median(seconds):,.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    print(flush=True)
