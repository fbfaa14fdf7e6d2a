"""CLIP and SigLIP beside CatLIP: what a step takes with the same picture tower, and what the paper's 2.7 x consists of.

    python -m benchmarks.clip_vs_catlip [--cases Ti:112:8,S:224:4] [--rounds 3] [--only steps,fast,traffic,parts]

A case is ENCODER:PIXELS:BATCH. Times are CPU seconds on one core, objectives turn by turn; the ratios are what to look
at. Text towers are ViT-B-16's of open_clip, 24,320 classes are the published vocabulary's.
"""

import argparse
import platform
import statistics
import time
from importlib.metadata import version

from benchmarks.clip_vs_catlip import parts
from benchmarks.clip_vs_catlip.cases import CATLIP, CLIP, ENCODERS, FUSED, OBJECTIVES
from benchmarks.clip_vs_catlip.fast import show_fast
from benchmarks.clip_vs_catlip.steps import StepCost, step_cost, without_fused_attention
from benchmarks.clip_vs_catlip.traffic import Traffic, ring, traffic
from benchmarks.train_throughput.measuring import alone

CASES = "Ti:112:16,Ti:224:16,S:112:16,S:224:8,B:224:4"
_PROCESSES, _PAIRS = 64, 1_024  # of the paper's ViT-B on DataComp


def show_steps(case: str, num_rounds: int, repeats: int) -> None:
    """A table of one case."""
    encoder, size, batch_size = case.split(":")
    found: dict[str, list[StepCost]] = {name: [] for name in OBJECTIVES}
    for _ in range(num_rounds):
        for name in OBJECTIVES:
            found[name].append(alone(step_cost, name, encoder, int(size), int(batch_size), repeats, ()))
    print(f"A step of ViT-{encoder}/16, {batch_size} images of {size} px:\n")
    print("| objective | ms an image | CLIP ÷ it | spread | peak MiB | parameters | GFLOPs an image | CLIP ÷ it |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, costs in found.items():
        ratios = [clip.seconds / cost.seconds for clip, cost in zip(found[CLIP], costs, strict=True)]
        ms = 1e3 * statistics.median(cost.seconds for cost in costs) / int(batch_size)
        mib = statistics.median(cost.mib for cost in costs)
        flops = costs[0].flops / int(batch_size)
        spread = "" if name == CLIP else f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"| {name} | {ms:,.1f} | {statistics.median(ratios):.2f} | {spread} | {mib:,.0f} | "
            f"{costs[0].parameters / 1e6:,.1f} M | {flops / 1e9:,.2f} | {found[CLIP][0].flops / costs[0].flops:.2f} |"
        )
    print(flush=True)


def show_traffic(encoders: list[str]) -> dict[tuple[str, str], Traffic]:
    """A table; what was counted by encoder and objective."""
    found = {(encoder, name): traffic(name, encoder) for encoder in encoders for name in OBJECTIVES if name != FUSED}
    print(
        "Bytes of a process and step: counted in two processes of 8 pairs, and by ring for the paper's 64 of 1,024:\n"
    )
    print("| | on its sockets | gradients | embeddings, a pair | 64 processes | CLIP ÷ it, two | CLIP ÷ it, 64 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (encoder, name), mine in found.items():
        clip = found[encoder, CLIP]
        many = ring(mine, _PROCESSES, _PAIRS)
        print(
            f"| ViT-{encoder}, {name} | {mine.sent / 1e6:,.1f} MB | {mine.gradients / 1e6:,.1f} MB | "
            f"{mine.embeddings / 8:,.0f} B | {many / 1e6:,.0f} MB | {clip.sent / mine.sent:.2f} | "
            f"{ring(clip, _PROCESSES, _PAIRS) / many:.2f} |"
        )
    print(flush=True)
    return found


def show_parts(counted: dict[tuple[str, str], Traffic], num_rounds: int, repeats: int) -> None:
    """The paper's 2.7 x. counted: the traffic of ViT-B, if it was."""
    pair = [alone(step_cost, name, "B", 224, 1, 0, ()) for name in (CLIP, CATLIP)]
    by_attention = []
    by_batch = []
    for _ in range(num_rounds):
        small = alone(step_cost, CATLIP, "S", 224, 4, repeats, ())
        without = alone(without_fused_attention, CATLIP, "S", 224, 4, repeats, ())
        large = alone(step_cost, CATLIP, "S", 224, 16, repeats, ())
        by_attention.append(without.seconds / small.seconds)
        by_batch.append(small.seconds * 4 / large.seconds)
    sent = [counted.get(("B", name)) for name in (CLIP, CATLIP)]
    found = parts.parts(
        text_tower=pair[0].flops / pair[1].flops,
        attention=statistics.median(by_attention),
        large_batches=statistics.median(by_batch),
        traffic=ring(sent[0], _PROCESSES, _PAIRS) / ring(sent[1], _PROCESSES, _PAIRS) if sent[0] and sent[1] else None,
    )
    parts.show(found)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", default=CASES, help="ENCODER:PIXELS:BATCH, with commas; ENCODER of Ti, S, B")
    arguments.add_argument("--rounds", type=int, default=3, help="how often all objectives have their turn")
    arguments.add_argument("--repeats", type=int, default=2, help="steps of a turn, of which the fastest counts")
    arguments.add_argument("--encoders", default=",".join(ENCODERS), help="whose traffic is counted")
    arguments.add_argument("--only", default="steps,fast,traffic,parts", help="sections, with commas")
    asked = arguments.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "open_clip_torch"))
    print(f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {packages}\n", flush=True)
    sections = asked.only.split(",")
    counted: dict[tuple[str, str], Traffic] = {}
    if "steps" in sections:
        for case in asked.cases.split(","):
            show_steps(case, asked.rounds, asked.repeats)
    if "fast" in sections:
        show_fast("S", 4, asked.rounds, asked.repeats)
    if "traffic" in sections:
        counted = show_traffic(asked.encoders.split(","))
    if "parts" in sections:
        show_parts(counted, asked.rounds, asked.repeats)
