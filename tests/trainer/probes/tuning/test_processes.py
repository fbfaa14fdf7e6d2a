"""What only several processes can show: that they train and measure as one does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from catlip_cli.main import run
from tests.pair import finish_pair
from trainer.probes import results

pytestmark = pytest.mark.slow

BASE = ["probe", "test_vit", "--weights", "random", "--no-random", "--task", "finetune"]


def words(data: Path, out: Path, *settings: str) -> list[str]:
    options = [word for each in settings for word in ("--set", f"finetune.{each}")]
    return [*BASE, "--data", str(data), "--out", str(out), *options]


def compare(one: Path, two: Path) -> None:
    [[ours], [theirs]] = (list(out.glob("tuned/*/*.safetensors")) for out in (one, two))
    a, b = load_file(ours), load_file(theirs)
    assert max(float((a[name].float() - b[name].float()).abs().max()) for name in a) < 1e-4
    [[ours], [theirs]] = (list(out.glob("probes/*.json")) for out in (one, two))
    found, other = results.read(ours), results.read(theirs)
    assert found.scores[0].metrics == other.scores[0].metrics
    assert found.data == other.data


def test_two_processes__train_and_measure_as_one(make_colours: Callable[..., Path], tmp_path: Path) -> None:
    data = make_colours(tmp_path / "data", train=6, test=3)
    settings = ["epochs=3", "batch_size=7", "image_size=32", "lr=1e-3"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(words(data, one, *settings)) == 0
    said, _ = finish_pair(["-m", "catlip_cli.main", *words(data, two, *settings)])
    assert said.count("Results are in") == 1
    compare(one, two)
