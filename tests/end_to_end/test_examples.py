"""The example scripts train, on a few pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.labelset_factory import coloured, write_label_set

# One after the other in a process, as importing torch and timm takes longer than their training.
RUN_ALL = """
import runpy, sys, torch
torch.manual_seed(0)
scripts, sys.argv = sys.argv[2:], sys.argv[:2]
for script in scripts:
    runpy.run_path(script, run_name="__main__")
    print("end of", script)
"""

pytestmark = pytest.mark.slow


def test_examples__learn(tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, coloured(2, 15))  # fewer than one of their batches
    scripts = [str(ROOT / "examples" / name) for name in ("train_pytorch.py", "train_timm.py")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN_ALL, labels, *scripts],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for script in scripts:
        said, _, done.stdout = done.stdout.partition(f"end of {script}\n")
        first, last = map(float, re.findall(r"loss ([\d.]+) over 4 classes", said))
        assert 0 < last < first, script
