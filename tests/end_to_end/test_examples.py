"""The example scripts train, on a few pictures."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forked import Forked
from tests.labelset_factory import coloured, write_label_set

pytestmark = pytest.mark.slow


def test_examples__learn(tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, coloured(2, 15))  # fewer than one of their batches
    for script in ("train_pytorch.py", "train_timm.py"):
        process = Forked([str(ROOT / "examples" / script), str(labels)])
        said, errors = process.communicate()
        assert process.returncode == 0, errors
        first, last = map(float, re.findall(r"loss ([\d.]+) over 4 classes", said))
        assert 0 < last < first, script
