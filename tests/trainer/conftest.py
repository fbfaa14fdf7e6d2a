"""What the trainer's tests share: one thread, a tiny encoder, a label set of coloured pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.labelset_factory import coloured, write_label_set
from trainer.config import Config, load

TINY = [
    "model.name=vit_tiny_patch16_224",
    "model.image_size=32",
    "model.kwargs={depth=2, embed_dim=32, num_heads=2}",
    "plan.batch_size=8",
    "plan.steps=12",
    "optim.lr=3e-3",
    "loop.log_every=4",
    "loop.checkpoint_every=4",
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tests run beside each other; and sums of one thread are the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label set of 3 shards with 10 pictures each, in 4 classes."""
    return write_label_set(tmp_path_factory.mktemp("coloured"), coloured(3, 10))


@pytest.fixture
def tiny() -> Config:
    """The configuration of a run of 12 steps that takes a second."""
    return load(None, TINY)
