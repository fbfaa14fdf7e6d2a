"""Losses of pairs: those of open_clip, on one process and on two, and the same however ranks share a batch."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pair import finish_pair
from tests.trainer.objectives.embeddings import PAIRS, Problem, gradients, theirs
from trainer.distributed import World

ALONE = World(device=torch.device("cpu"))


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-6 * tensor.norm(), name


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("batch_size", [1, 8])
def test_loss__is_open_clips(kind: str, batch_size: int) -> None:
    problem = Problem.of(batch_size)
    found = gradients(problem, PAIRS[kind].loss, batch_size, ALONE)
    assert_same(found, gradients(problem, theirs(kind, ALONE), batch_size, ALONE))


@pytest.mark.parametrize("kind", PAIRS)
def test_loss__is_divided_by_what_it_is_told(kind: str) -> None:
    whole = gradients(Problem.of(6), PAIRS[kind].loss, 6, ALONE)
    twice = gradients(Problem.of(6), PAIRS[kind].loss, 3, ALONE)
    assert_same(twice, {name: 2 * tensor for name, tensor in whole.items()})


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ranks")
    finish_pair(["-m", "tests.trainer.objectives.two_ranks", str(out)])
    return out


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAIRS)
def test_loss__two_ranks_are_open_clips_two_ranks(kind: str, two_ranks: Path) -> None:
    for rank in range(2):
        ours, open_clips = (load_file(two_ranks / f"{kind}-8-{name}-{rank}") for name in ("ours", "theirs"))
        assert_same(ours, open_clips)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("batch_size", [8, 7])
def test_loss__two_ranks_are_one_process_with_the_whole_batch(kind: str, batch_size: int, two_ranks: Path) -> None:
    """Also where one rank has three samples and the other four. Ranks' gradients are averaged, as DDP does it."""
    shares = [load_file(two_ranks / f"{kind}-{batch_size}-ours-{rank}") for rank in range(2)]
    together = {name: (shares[0][name] + shares[1][name]) / 2 for name in ("loss", "scale", "bias")}
    together |= {name: torch.cat([share[name] for share in shares]) / 2 for name in ("images", "texts")}
    assert_same(together, gradients(Problem.of(batch_size), PAIRS[kind].loss, batch_size, ALONE))
