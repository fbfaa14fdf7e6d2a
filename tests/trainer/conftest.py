"""What the trainer's tests share: a tiny encoder, a label set of coloured pictures."""

from pathlib import Path

import pytest

from tests.labelset_factory import coloured, write_label_set
from tests.tiny_run import TINY
from trainer.config import Config, load


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label set of 3 shards with 10 pictures each, in 4 classes."""
    return write_label_set(tmp_path_factory.mktemp("coloured"), coloured(3, 10))


@pytest.fixture
def tiny() -> Config:
    """The configuration of a run of 12 steps that takes a second."""
    return load(None, TINY)
