"""The parts of the loader that the benchmark times are the trainer's own: they run as they are called there."""

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.train_throughput import loading
from tests.labelset_factory import Item, write_label_set


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    items = [Item(key=f"{number:06d}", labels=[number], image=buffer.getvalue()) for number in range(128)]
    return write_label_set(tmp_path_factory.mktemp("labels"), [items], num_classes=128)


@pytest.mark.parametrize("name", loading.PARTS)
def test_part__takes_time(name: str, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_AT_LEAST", 0)
    assert loading.part(name, str(labels)).seconds > 0


@pytest.mark.parametrize("name", loading.TRANSPORTS)
def test_transport__takes_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_AT_LEAST", 0)
    monkeypatch.setattr(loading, "K", 100)
    assert loading.transport(name).seconds > 0
