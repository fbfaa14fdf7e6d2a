"""What the trainer's tests share: a tiny encoder, a label set of coloured pictures, a trained run."""

from pathlib import Path

import pytest

from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import TINY, go
from tests.trainer.objectives.tiny_text import LEARNING
from trainer.config import Config, load


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label set of 3 shards with 10 pictures each, in 4 classes."""
    return write_label_set(tmp_path_factory.mktemp("coloured"), coloured(3, 10))


@pytest.fixture
def tiny() -> Config:
    """The configuration of a run of 12 steps that takes a second."""
    return load(None, TINY)


@pytest.fixture(scope="session")
def trained(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny encoder that tells colours apart."""
    out = tmp_path_factory.mktemp("trained")
    go(labels, out, "plan.steps=40", "optim.ema_decay=0.8")
    return out


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of four colours, whose captions are the prompts of zero-shot probes."""
    items = [
        Item(
            key=f"k{n}",
            labels=[n % 4],
            image=picture(COLOURS[n % 4], seed=n),
            captions=[f"a photo of a colour{n % 4}."],
        )
        for n in range(24)
    ]
    return write_label_set(tmp_path_factory.mktemp("named"), [items])


@pytest.fixture(scope="session")
def clip_run(named: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of both towers that tells colours apart."""
    out = tmp_path_factory.mktemp("clip") / "run"
    go(named, out, "objective=clip", *LEARNING, f"eval.labels={named}")
    return out
