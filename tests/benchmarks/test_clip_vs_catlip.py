"""What CLIP and CatLIP take, counted on small cases where it can be known."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from benchmarks.clip_vs_catlip import parts
from benchmarks.clip_vs_catlip.cases import K, config_of
from benchmarks.clip_vs_catlip.fast import RECIPE, pieces
from benchmarks.clip_vs_catlip.steps import step_cost
from benchmarks.clip_vs_catlip.traffic import PAIRS, Traffic, _Collectives, ring
from trainer.config import load
from trainer.encoders.token_dropout import share_of
from trainer.planning import plan
from trainer.stream.steps import Steps

SMALL = ("model.kwargs.depth=1", "model.kwargs.embed_dim=24", "model.kwargs.num_heads=2")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A real gloo group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_collectives__counts_bytes_by_operator() -> None:
    x = torch.zeros(6, 10)
    with _Collectives() as counted:
        dist.all_reduce(x)
        dist.all_gather_into_tensor(torch.zeros(6, 10), x)
        dist.reduce_scatter_tensor(torch.zeros(6, 10), x)
        x.sum()
    assert counted.bytes == {"allreduce_": 240, "_allgather_base_": 240, "_reduce_scatter_base_": 240}


def test_ring__sums_pass_twice_and_embeddings_go_to_every_other() -> None:
    two = Traffic(sent=0, gradients=1_000, embeddings=8 * PAIRS)
    assert ring(two, 2, PAIRS) == 1_000 + 8 * PAIRS
    assert ring(two, 4, 100) == 2 * 1_000 * 3 / 4 + 8 * 100 * 3


def test_step_cost__counts_what_the_plan_computes() -> None:
    found = step_cost("catlip", "Ti", 64, 2, 1, SMALL)
    planned = plan(config_of("catlip", "Ti", 64, 2, *SMALL), num_processes=1, num_samples=None, num_classes=K)
    assert found.parameters == planned.encoder_parameters + planned.head_parameters
    # Of a training step, three times its forward pass, the first layer misses a part: pictures have no gradient.
    assert 2.5 < found.flops / 2 / planned.forward_flops_per_image <= 3
    assert found.seconds > 0


def test_fast__the_pieces_are_the_recipes_plan() -> None:
    found = pieces()
    assert sum(piece.share for piece in found) == pytest.approx(1)
    assert found[0].dropped > 0 == found[-1].dropped
    config = load(RECIPE)
    steps = Steps(config.plan, image_size=config.model.image_size, num_samples=1, seed=0)
    seen = Counter(
        (steps[number].image_size, share_of(steps.phase(number), config.model)) for number in range(0, 200_000, 1_000)
    )
    assert seen == {(piece.image_size, piece.dropped): round(200 * piece.share) for piece in found}


def test_parts__make_up_the_papers_factor() -> None:
    found = {part.what: part for part in parts.parts(1.17, attention=None, large_batches=None, traffic=1.6)}
    assert parts.resolution_factor() == pytest.approx(1.27, abs=0.01)
    assert found["both"].factor * found["these four together"].factor == pytest.approx(parts.PAPER)  # type: ignore[operator]
    assert {part.how for part in found.values()} >= {"computed", "inferred", "not measured"}
