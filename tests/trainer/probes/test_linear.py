from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, picture
from tests.tiny_run import go
from trainer import run
from trainer.probes import features
from trainer.probes.features import Encoder
from trainer.probes.imagefolder import open_splits
from trainer.probes.linear import LinearProtocol, LinearResult, probe

CPU = torch.device("cpu")
QUICK = LinearProtocol(learning_rates=(1e-2, 1e-1), epochs=10, batch_size=8)


@pytest.fixture(scope="module")
def trained(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    go(labels, out, "plan.steps=40", "optim.ema_decay=0.8")
    return out


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """An image folder of four colours, 8 + 4 pictures each, one of which is broken."""
    for split, count in (("train", 8), ("test", 4)):
        for class_id in range(4):
            for number in range(count):
                path = tmp_path / "colours" / split / f"colour{class_id}" / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture(COLOURS[class_id], seed=1000 + number, form="PNG"))
    (tmp_path / "colours" / "train" / "colour1" / "3.png").write_bytes(b"not a picture")
    return tmp_path / "colours"


def test_probe__measures_and_writes_one_result(trained: Path, colours: Path) -> None:
    told: list[tuple[int, int, str]] = []
    result = probe(
        trained, colours, device=CPU, with_random=True, protocol=QUICK, report=lambda *words: told.append(words)
    )
    assert result.trained.top1 > 0.9
    assert result.random is not None
    assert (result.chance, result.num_classes, result.num_train, result.num_test) == (0.25, 4, 32, 16)
    assert (result.trained.broken, result.random.broken) == (1, 1)
    assert told[-1] == (96, 96, "random encoder")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    written = msgspec.json.decode((trained / "probes" / "linear-colours.json").read_bytes(), type=LinearResult)
    assert written == result


def test_probe__encodes_once(trained: Path, colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = probe(trained, colours, device=CPU, with_random=False, protocol=QUICK, report=lambda *_: None)

    def refuse(*_: object) -> None:
        raise AssertionError("the features are there already")

    monkeypatch.setattr(features, "_compute", refuse)
    again = probe(trained, colours, device=CPU, with_random=False, protocol=QUICK, report=lambda *_: None)
    assert again == first
    assert again.random is None


def test_probe__too_few_pictures_are_refused(trained: Path, tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(picture((9, 9, 9), form="PNG"))
    with pytest.raises(CatlipError, match="at least two readable training pictures"):
        probe(trained, tmp_path, device=CPU, with_random=False, report=lambda *_: None)


def test_extract__float16_rows_in_order_and_nan_where_broken(trained: Path, colours: Path, tmp_path: Path) -> None:
    opened = run.open_run(trained)
    encoder = Encoder(model=opened.model, config=opened.record.config.model, device=CPU)
    train, _ = open_splits(colours)
    table_ND = features.extract(encoder, train, tmp_path / "cache", lambda _: None)
    assert table_ND.shape == (32, 32)
    assert table_ND.dtype == np.float16
    assert np.flatnonzero(np.isnan(table_ND).any(1)).tolist() == [11]
    assert np.isnan(table_ND[11]).all()


def test_digest__changes_with_weights_and_transform(trained: Path) -> None:
    opened = run.open_run(trained)
    config = opened.record.config.model
    first = Encoder(model=opened.model, config=config, device=CPU).digest
    larger = msgspec.structs.replace(config, image_size=48)
    assert Encoder(model=opened.model, config=larger, device=CPU).digest != first
    with torch.no_grad():
        next(opened.model.parameters()).add_(1)
    assert Encoder(model=opened.model, config=config, device=CPU).digest != first
