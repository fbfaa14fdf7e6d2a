import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import CPU, ask, probe_all, probe_one
from tests.trainer.probes.detect.drawn import write_coco
from trainer.opening import open_model
from trainer.probes import results
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.probes.probe import Asked
from trainer.probes.results import Result
from trainer.probes.tasks import TASKS


def several(split: Split) -> Split:
    """The same pictures, each with its class and the one after it."""
    labels = [np.array([each, (each + 1) % len(split.classes)]) for each in split.class_ids.tolist()]
    return Split.of_many(split.pictures, split.classes, labels, split.skipped)


SMALL = (
    "finetune.epochs=1", "finetune.batch_size=12", "finetune.image_size=32",
    "segment.epochs=1", "segment.batch_size=6", "segment.image_size=32",
    "detect.epochs=1", "detect.batch_size=4", "detect.image_size=48", "detect.channels=8", "detect.regions=8",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(
    make_colours: Callable[..., Path], halves: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, tuple[Split, Split]]]:
    """Pictures with one class, with masks, and with objects and so several classes."""
    colours, objects = make_colours(tmp_path_factory.mktemp("colours")), tmp_path_factory.mktemp("objects")
    for split in ("train", "val"):
        boxes = [{"box": (3, 3, 20, 20), "category": 5}, {"box": (20, 9, 25, 30), "category": 3}]
        write_coco(objects / split, [boxes[:1], boxes[1:], boxes, []])
    return {path.name: (path, open_splits(path)) for path in (colours, halves, objects)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a model of timm, as others keep them."""
    path = tmp_path_factory.mktemp("weights") / "test_vit.safetensors"
    torch.manual_seed(1)
    save_file(timm.create_model("test_vit").state_dict(), path)
    return path


@pytest.mark.parametrize("kind", ["bce", "softmax", "timm", "random"])
def test_probe__every_model_goes_through_every_task(
    kind: str,
    data: dict[str, tuple[Path, tuple[Split, Split]]],
    trained: Path,
    trained_with_softmax: Path,
    checkpoint: Path,
    cache: Path,
) -> None:
    run, weights = {
        "bce": (trained, "pretrained"),
        "softmax": (trained_with_softmax, "pretrained"),
        "timm": ("test_vit", str(checkpoint)),
        "random": ("test_vit", "random"),
    }[kind]
    opened = open_model(str(run), weights, CPU)
    with_head = ["zeroshot"] if kind in ("bce", "softmax") else []
    found: list[Result] = []
    for (path, splits), tasks in zip(
        data.values(),
        (["linear", "knn", "fewshot", "finetune", *with_head], ["segment"], ["multilabel", "detect"]),
        strict=True,
    ):
        protocols = ["sweep", "catlip", "dinov2", "lbfgs", "linear", "deeplab"]
        asked = Asked(
            opened=opened,
            splits=splits,
            data=path,
            out=cache,
            protocols=protocols,
            overrides=SMALL,
            with_random=False,
        )
        found += probe_all(asked, tasks)
        if not with_head:
            with pytest.raises(CatlipError, match="has no vocabulary"):
                TASKS["zeroshot"](asked)
    assert [f"{each.task} {each.protocol}" for each in found] == [
        "linear sweep", "linear catlip", "linear dinov2", "linear lbfgs", "knn dino", "fewshot ridge",
        "finetune catlip", *(["zeroshot vocabulary"] if with_head else []),
        "segment linear", "segment deeplab", "multilabel sweep", "detect vitdet",
    ]  # fmt: skip
    for each in found:
        assert all(0 <= spread.mean <= 1 for score in each.scores for spread in score.metrics.values())
        assert results.read(cache / "probes" / each.file_name).scores == each.scores


@pytest.mark.parametrize("model", ["test_convnext", "test_efficientnet"])
def test_probe__convolutional_networks_have_features_too(
    model: str, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    asked = ask(model, make_colours(tmp_path / "colours", train=2, test=1), tmp_path)
    assert [each.task for each in probe_all(asked, ["knn", "fewshot"])] == ["knn", "fewshot"]


def test_probe__broken_pictures_count_once_in_each_result(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "colours", train=2, test=2)
    (data / "test" / "colour0" / "0.png").write_bytes(b"nothing")
    found = probe_all(ask(trained, data, tmp_path), ["knn", "finetune"])
    assert [each.data.left_out for each in found] == [{"no known format": 1}] * 2


def test_probe__beside_random_weights_no_others_stand(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    splits = open_splits(make_colours(tmp_path / "colours"))
    models: list[tuple[Path | str, list[str]]] = [("test_vit", ["model"]), (trained, ["model", "random"])]
    for model, encoders in models:
        result = probe_one(replace(ask(model, tmp_path, tmp_path, splits), with_random=True), "knn")
        assert list(dict.fromkeys(score.encoder for score in result.scores)) == encoders


def test_probe__pictures_without_any_class_are_no_test(make_colours: Callable[..., Path], tmp_path: Path) -> None:
    train, test = map(several, open_splits(make_colours(tmp_path / "colours")))
    bare = replace(test, offsets=np.zeros(len(test) + 1, np.int64), values=np.empty(0, np.int64))
    with pytest.raises(CatlipError, match="no test picture has any of the 4 classes"):
        probe_one(ask("test_vit", tmp_path, tmp_path, (train, bare)), "multilabel")
    with pytest.raises(CatlipError, match="several classes a picture; knn wants one"):
        probe_one(ask("test_vit", tmp_path, tmp_path, (train, test)), "knn")


def test_probe__all_that_has_a_class_is_broken(make_colours: Callable[..., Path], tmp_path: Path) -> None:
    data = make_colours(tmp_path / "colours")
    train, test = map(several, open_splits(data))
    (data / "test/colour0/0.png").write_bytes(b"not a picture")
    only_first = replace(test, offsets=np.r_[0, np.full(len(test), 2)], values=test.values[:2])
    with pytest.raises(CatlipError, match="No picture of the test split that can be read has a class"):
        probe_one(ask("test_vit", data, tmp_path, (train, only_first)), "multilabel")


def test_probe__what_differs_has_a_file_of_its_own_and_the_same_again_has_not(
    trained: Path, trained_with_softmax: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    """Other shares, seeds, test pictures, and weights of another run of the same name and step."""
    colours = make_colours(tmp_path / "colours")
    namesake = tmp_path / "elsewhere" / trained.name
    shutil.copytree(trained_with_softmax, namesake)
    asked = replace(ask(trained, colours, tmp_path), protocols=["catlip"])
    other = ask(namesake, colours, tmp_path, asked.splits).opened
    assert other.facts.name == asked.opened.facts.name
    assert other.facts.step == asked.opened.facts.step
    for number, each in enumerate(
        [
            asked,
            replace(asked, fractions=[0.5]),
            replace(asked, seeds=[0, 1]),
            replace(asked, test=colours / "test"),
            replace(asked, opened=other),
        ],
        1,
    ):
        for _ in range(2):
            probe_one(each, "linear")
            assert len(list((tmp_path / "probes").glob("*.json"))) == number


def test_probe__a_folder_that_takes_no_results_is_named_before_any_work(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    asked = ask(trained, make_colours(tmp_path / "colours"), tmp_path / "out")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CatlipError, match=r"No result can be written to .*probes \(Not a directory\)\. Choose another"):
        probe_one(asked, "knn", lambda *_: pytest.fail("something was done before"))
