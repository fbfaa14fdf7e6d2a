"""The example scripts train: each in a process of its own, on a few pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.labelset_factory import coloured, write_label_set

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("script", ["train_pytorch.py", "train_timm.py"])
def test_example__learns(script: str, tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, coloured(2, 32))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", ROOT / "examples" / script, labels],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = [float(number) for number in re.findall(r"loss ([\d.]+) over 4 classes", done.stdout)]
    assert len(losses) == 2
    assert losses[1] < losses[0]
