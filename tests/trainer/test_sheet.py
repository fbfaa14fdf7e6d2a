from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import go
from trainer import run
from trainer.predictions import open_matching, predict
from trainer.sheet import Prediction, Sheet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def opened(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> run.TrainedRun:
    out = tmp_path_factory.mktemp("trained")
    go(labels, out, "plan.steps=60", "optim.ema_decay=0.8")
    return run.open_run(out)


def labels_of(prediction: Prediction) -> list[int]:
    assert prediction.labels is not None, "a sample has labels"
    found: list[int] = prediction.labels.tolist()
    return found


def test_predict__the_colours_are_recognised(opened: run.TrainedRun, labels: Path) -> None:
    predictions = predict(opened, LabelSet.open(str(labels)), count=12, seed=0, device=CPU)
    assert len(predictions) == 12
    right = [int(each.probabilities_K.argmax()) in labels_of(each) for each in predictions]
    assert sum(right) >= 9
    assert all(prediction.probabilities_K.min() >= 0 for prediction in predictions)
    assert predictions[0].captions[0].startswith("something of colour")


def test_predict__the_seed_chooses(opened: run.TrainedRun, labels: Path) -> None:
    label_set = LabelSet.open(str(labels))
    first, same, other = (predict(opened, label_set, count=4, seed=seed, device=CPU) for seed in (0, 0, 1))
    assert all(torch.equal(a.pixels_CHW, b.pixels_CHW) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a.pixels_CHW, b.pixels_CHW) for a, b in zip(first, other, strict=True))


def test_predict__broken_and_unlabelled_are_passed_over(opened: run.TrainedRun, tmp_path: Path) -> None:
    good = picture(COLOURS[0])
    rows = [
        Item(key="a", labels=[0], image=good),
        Item(key="b", labels=[1], image=b"broken"),
        Item(key="c", image=good),
    ]
    [only] = predict(opened, LabelSet.open(str(write_label_set(tmp_path, [rows]))), count=5, seed=0, device=CPU)
    assert labels_of(only) == [0]


def test_open_matching__another_vocabulary_is_refused(opened: run.TrainedRun, tmp_path: Path) -> None:
    root = write_label_set(tmp_path, coloured(1, 4), prefix="shade")
    with pytest.raises(CatlipError, match="has other classes than the model"):
        open_matching(opened.vocabulary, str(root))


def prediction(width: int, height: int, caption: str, labels: list[int], best: int) -> Prediction:
    probabilities_K = np.linspace(0.3, 0.01, 8, dtype=np.float32)
    probabilities_K[best] = 0.9
    return Prediction(
        pixels_CHW=torch.full((3, height, width), 120, dtype=torch.uint8),
        captions=[caption] if caption else [],
        labels=np.array(labels),
        probabilities_K=probabilities_K,
    )


NAMES = ["dog", "a name that is far too long for its column", "ß", "日本", "x", "y", "z", "w"]


@pytest.mark.parametrize("count", [1, 4, 5])
def test_draw__as_many_panels_as_pictures(count: int) -> None:
    sheet = Sheet(title="A title", names=NAMES).draw([prediction(30, 20, "a dog", [0], 0)] * count)
    one = Sheet(title="A title", names=NAMES).draw([prediction(30, 20, "a dog", [0], 0)])
    assert sheet.width > one.width if count > 1 else sheet.width == one.width
    assert sheet.height > one.height if count > 4 else sheet.height == one.height


def test_draw__anything_fits() -> None:
    odd = [
        prediction(1, 900, "word " * 300, list(range(8)), 1),
        prediction(900, 1, "Unbreakable" * 40, [3], 2),
        prediction(5, 5, "", [7], 7),
        prediction(5, 5, "日本語の説明", [2], 0),
    ]
    sheet = Sheet(title="t" * 500, names=NAMES, credit="licence " * 200).draw(odd)
    assert sheet.mode == "RGB"
    assert sheet.getpixel((3, 3)) == (0xF4, 0xF2, 0xEE)  # the margin stays free


def test_draw__right_ones_are_marked_by_colour() -> None:
    green = (0x1B, 0x8A, 0x4B)

    def greens(image: Image.Image) -> int:
        return int((np.array(image) == green).all(-1).sum())

    right = Sheet(title="", names=NAMES).draw([prediction(30, 20, "a dog", [0], 0)])
    wrong = Sheet(title="", names=NAMES).draw([prediction(30, 20, "a dog", [7], 0)])
    assert greens(right) > greens(wrong) + 300
