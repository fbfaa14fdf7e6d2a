"""Two small tars, and builds of labels from them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.catlip_cli.label_builds import CAPTIONS, Labels


@pytest.fixture
def tars(tmp_path: Path, write_tar: Callable[..., Path]) -> Path:
    """Two tars of three samples each."""
    folder = tmp_path / "tars"
    folder.mkdir()
    for number in range(2):
        members = [
            (f"{row:09d}.{suffix}", content)
            for row in range(3 * number, 3 * number + 3)
            for suffix, content in (("jpg", b"\xff\xd8 %d" % row), ("txt", CAPTIONS[row].encode()))
        ]
        write_tar(folder / f"{number:05d}.tar", members)
    return folder


@pytest.fixture
def labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Labels:
    return Labels(tmp_path / "labels", capsys)
