"""What the probes' tests share: folders of colours, features without an encoder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.labelset_factory import COLOURS, picture
from tests.tiny_run import go
from trainer.probes.examples import Examples


@pytest.fixture(scope="session")
def make_colours() -> Callable[..., Path]:
    """`make_colours(folder, train=8, test=4)`: an image folder of four colours."""

    def make(folder: Path, train: int = 8, test: int = 4) -> Path:
        for split, count in (("train", train), ("test", test)):
            for class_id in range(4):
                for number in range(count):
                    path = folder / split / f"colour{class_id}" / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(picture(COLOURS[class_id], seed=1000 + number, form="PNG"))
        return folder

    return make


@pytest.fixture(scope="session")
def clouds() -> Callable[..., Examples]:
    """`clouds(num_per_class, seed)`: classes around their own points, on features of very different scales."""

    def make(num_per_class: int, seed: int, num_classes: int = 6, spread: float = 1.0, width: int = 8) -> Examples:
        centres = np.random.default_rng(99).normal(0, 2, (num_classes, width))
        rng = np.random.default_rng(seed)
        class_ids = np.repeat(np.arange(num_classes), num_per_class)
        table = (centres[class_ids] + rng.normal(0, spread, (len(class_ids), width))) * np.logspace(-2, 2, width) + 3
        return Examples(table=table.astype(np.float16), rows=np.arange(len(class_ids)), class_ids=class_ids)

    return make


@pytest.fixture(scope="session")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two colours each, split somewhere; a mask says which is where."""
    data = tmp_path_factory.mktemp("halves")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for number in range(count):
            values = np.zeros((40, 48), np.uint8)
            left, right = rng.choice(3, 2, replace=False)
            cut = int(rng.integers(12, 36))
            values[:, :cut], values[:, cut:] = left, right
            noise = rng.normal(0, 10, (40, 48, 3))
            pixels = np.clip(np.array(COLOURS)[values] + noise, 0, 255).astype(np.uint8)
            for kind in ("images", "masks"):
                (data / split / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(data / split / "images" / f"{number}.jpg")
            Image.fromarray(values).save(data / split / "masks" / f"{number}.png")
    return data


@pytest.fixture(scope="session")
def trained_with_softmax(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `trained`, with the other kind of head."""
    out = tmp_path_factory.mktemp("trained-with-softmax")
    go(labels, out, "plan.steps=40", "optim.ema_decay=0.8", "loss.kind=softmax")
    return out
