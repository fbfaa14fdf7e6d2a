"""What the trainer's tests share: a tiny encoder, a label set of coloured pictures, a trained run."""

from pathlib import Path

import pytest

from tests.labelset_factory import coloured, write_label_set
from tests.tiny_run import TINY, go
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
