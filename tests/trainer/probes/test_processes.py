"""What only real processes can show of a probe: Ctrl-C, two at once, and what goes to which stream."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catlip_cli.main import run
from tests.forked import Forked
from trainer.probes.features import BATCH_SIZE

pytestmark = pytest.mark.slow

COPIES = 256  # of each of four pictures
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def wait_for_rows(features: Path, process: Forked) -> Path:
    """The file of the first table of which some rows are done."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for path in features.glob("*.status.npy"):
            if path.stat().st_size > COPIES and np.load(path).any():
                return path
        time.sleep(0.01)
    pytest.fail(f"no row was done: {process.communicate()[1]}")


def test_interrupt__keeps_what_was_done_and_a_second_process_is_refused(
    make_colours: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_colours(tmp_path / "colours", train=1, test=1), tmp_path / "out"
    for picture in (data / "train").rglob("*.png"):
        for number in range(1, COPIES):
            (picture.parent / f"{number}.png").hardlink_to(picture)
    words = [
        "-m",
        "catlip_cli.main",
        "probe",
        "test_vit",
        "--weights",
        "random",
        "--data",
        str(data),
        "--out",
        str(out),
    ]
    words += ["--task", "knn", "--no-random", "--json"]
    first = Forked(words, ENVIRONMENT)
    try:
        status = wait_for_rows(out / "features", first)
        assert run(words[2:]) == 1
        said, errors = capsys.readouterr()
        assert said == ""
        assert "Another catlip probe computes the same features" in errors
        first.send_signal(signal.SIGINT)
        said, errors = first.communicate()
    finally:
        first.kill()
    assert (first.returncode, said) == (130, "")
    assert "Run the same command again to go on." in errors
    done = int((np.load(status) != 0).sum())
    assert 0 < done < 4 * COPIES
    assert done % BATCH_SIZE == 0
    table = np.load(status.with_name(status.name.replace(".status", "")), mmap_mode="r+")
    table[done - 1] = 7  # which would be written over if it were computed again
    table.flush()
    again = Forked(words, ENVIRONMENT)
    said, errors = again.communicate()
    assert again.returncode == 0, errors
    [result] = json.loads(said)["results"]
    assert result["data"]["num_train"] == 4 * COPIES
    assert (table[done - 1] == 7).all()
    assert (np.load(status) == 1).all()
