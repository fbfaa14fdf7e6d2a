from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import CPU
from trainer.opening import open_model
from trainer.probes import probing
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.probes.plans import Asked
from trainer.probes.results import Result
from trainer.probes.tasks import TASKS


def probe(
    model: str, weights: str, tasks: list[str], splits: tuple[Split, Split], out: Path, *, with_random: bool = False
) -> list[Result]:
    opened = open_model(model, weights, CPU)
    asked = Asked(opened=opened, splits=splits, protocols=["catlip"], fractions=[1.0], out=out)
    return probing.probe(
        opened, splits, [plan for task in tasks for plan in TASKS[task](asked)],
        data=out, out=out, seeds=[0], with_random=with_random, device=CPU, report=lambda *_: None,
    )  # fmt: skip


def several(split: Split) -> Split:
    """The same pictures, each with its class and the one after it."""
    labels = [np.array([each, (each + 1) % len(split.classes)]) for each in split.class_ids.tolist()]
    return Split.of_many(split.pictures, split.classes, labels, split.skipped)


@pytest.mark.parametrize("model", ["run", "test_vit", "test_convnext"])
def test_probe__every_model_goes_through_every_task_that_it_can(
    model: str, trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    one = open_splits(make_colours(tmp_path / "colours"))
    many = (several(one[0]), several(one[1]))
    name, weights = (str(trained), "pretrained") if model == "run" else (model, "random")
    with_head = ["zeroshot"] if model == "run" else []
    found = probe(name, weights, ["linear", "knn", "fewshot", *with_head], one, tmp_path / "one")
    found += probe(name, weights, ["multilabel", *with_head], many, tmp_path / "many")
    assert [each.task for each in found] == ["linear", "knn", "fewshot", *with_head, "multilabel", *with_head]
    for each in found:
        assert each.data.chance == pytest.approx(0.25 if "mAP" not in each.scores[0].metrics else 0.5)
        assert all(0 <= spread.mean <= 1 for score in each.scores for spread in score.metrics.values())


def test_probe__broken_pictures_count_once_in_each_result(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "colours", train=2, test=2)
    (data / "test" / "colour0" / "0.png").write_bytes(b"nothing")
    results = probe(str(trained), "pretrained", ["knn", "finetune"], open_splits(data), tmp_path)
    assert [each.data.left_out for each in results] == [{"no known format": 1}] * 2


def test_probe__beside_random_weights_no_others_stand(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    splits = open_splits(make_colours(tmp_path / "colours"))
    for model, weights, encoders in (
        ("test_vit", "random", ["model"]),
        (str(trained), "pretrained", ["model", "random"]),
    ):
        [result] = probe(model, weights, ["knn"], splits, tmp_path, with_random=True)
        assert list(dict.fromkeys(score.encoder for score in result.scores)) == encoders


def test_probe__pictures_without_any_class_are_no_test(make_colours: Callable[..., Path], tmp_path: Path) -> None:
    train, test = map(several, open_splits(make_colours(tmp_path / "colours")))
    bare = replace(test, offsets=np.zeros(len(test) + 1, np.int64), values=np.empty(0, np.int64))
    with pytest.raises(CatlipError, match="no test picture has any of the 4 classes"):
        probe("test_vit", "random", ["multilabel"], (train, bare), tmp_path)
    with pytest.raises(CatlipError, match="several classes a picture; knn wants one"):
        probe("test_vit", "random", ["knn"], (train, test), tmp_path)


def test_probe__all_that_has_a_class_is_broken(make_colours: Callable[..., Path], tmp_path: Path) -> None:
    data = make_colours(tmp_path / "colours")
    train, test = map(several, open_splits(data))
    (data / "test/colour0/0.png").write_bytes(b"not a picture")
    only_first = replace(test, offsets=np.r_[0, np.full(len(test), 2)], values=test.values[:2])
    with pytest.raises(CatlipError, match="No picture of the test split that can be read has a class"):
        probe("test_vit", "random", ["multilabel"], (train, only_first), tmp_path)
