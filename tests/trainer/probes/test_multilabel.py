from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask, case_of, probe_one
from trainer.probes import heads, multilabel
from trainer.probes.data.folder import PictureFiles
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples
from trainer.probes.probe import Case


def several(num_pictures: int, seed: int, num_classes: int = 5, noise: float = 0.5) -> tuple[Examples, Split]:
    """Pictures whose classes are whether each of some directions is passed; the first are the frequent ones."""
    rng = np.random.default_rng(seed)
    directions_DK = np.random.default_rng(99).normal(0, 1, (8, num_classes))
    table = rng.normal(0, 1, (num_pictures, 8)).astype(np.float16)
    levels_K = np.linspace(0, 3, num_classes)
    truth_NK = table @ directions_DK + rng.normal(0, noise, (num_pictures, num_classes)) > levels_K
    split = Split.of_many(
        PictureFiles(root=Path(), paths=()),
        [f"class{number}" for number in range(num_classes)],
        [np.flatnonzero(row) for row in truth_NK],
        Counter(),
    )
    return Examples(table=table, rows=np.arange(num_pictures), class_ids=np.zeros(num_pictures, np.int64)), split


def as_case(train: tuple[Examples, Split], test: tuple[Examples, Split]) -> Case:
    case = case_of(train[0], test[0])
    return replace(case, splits=(train[1], test[1]))


@given(
    st.lists(st.lists(st.integers(0, 6), max_size=7, unique=True), min_size=1, max_size=8),
    st.integers(0, 6),
    st.integers(1, 7),
)
def test_truth__is_the_dense_table(labels: list[list[int]], first: int, size: int) -> None:
    classes = [str(number) for number in range(7)]
    split = Split.of_many(
        PictureFiles(root=Path(), paths=()), classes, [np.array(each, np.int64) for each in labels], Counter()
    )
    dense_NK = np.array([[number in each for number in range(7)] for each in labels])
    rows = np.random.default_rng(len(labels)).integers(0, len(labels), 5)
    np.testing.assert_array_equal(split.truth(rows), dense_NK[rows])
    part = slice(first, first + size)
    np.testing.assert_array_equal(split.truth(rows, part), dense_NK[rows][:, part])


def test_measure__is_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    test, split = several(300, 1, num_classes=7)
    torch.manual_seed(0)
    head = heads.Heads(
        moments=None, views=(heads.whole(8),), weights=(torch.randn(1, 8, 7),), biases=(torch.randn(1, 7),)
    )
    support_K = np.array([7, 1, 6, 2, 5, 3, 4])
    monkeypatch.setattr(multilabel, "_SCORES_AT_ONCE", 700)  # two classes at a time
    metrics, per_class = multilabel.measure(head, test, split, support_K)
    [logits_NK] = head.logits(test, slice(None))
    truth_NK = split.truth(test.rows)
    occurs = np.flatnonzero(truth_NK.any(0))
    assert len(occurs) == 7
    precisions = average_precision_score(truth_NK, logits_NK, average=None)
    np.testing.assert_allclose(per_class, precisions)
    order = np.argsort(-support_K)
    expected = {
        "mAP": precisions.mean(),
        "mAP_head": precisions[order[:3]].mean(),
        "mAP_middle": precisions[order[3:5]].mean(),
        "mAP_tail": precisions[order[5:]].mean(),
        **{
            f"F1_{average}": f1_score(truth_NK, logits_NK > 0, average=average, zero_division=0)
            for average in ("micro", "macro", "weighted")
        },
    }
    assert metrics == pytest.approx(expected)


def test_measure__classes_that_do_not_occur_do_not_count() -> None:
    test, split = several(40, 1, num_classes=3)
    none = replace(split, classes=(*split.classes, "never"))
    head = heads.Heads(
        moments=None, views=(heads.whole(8),), weights=(torch.randn(1, 8, 4),), biases=(torch.ones(1, 4),)
    )
    metrics, per_class = multilabel.measure(head, test, none, np.array([1, 1, 1, 0]))
    assert np.isnan(per_class[3])
    truth_NK, called_NK = none.truth(test.rows), head.logits(test, slice(None))[0] > 0
    assert metrics["F1_macro"] == pytest.approx(f1_score(truth_NK[:, :3], called_NK[:, :3], average="macro"))
    assert metrics["F1_micro"] == pytest.approx(f1_score(truth_NK, called_NK, average="micro", zero_division=0))
    assert metrics["mAP"] == pytest.approx(per_class[:3].mean())


def test_plan__learns_each_class_and_more_pictures_know_more() -> None:
    case = as_case(several(400, 0), several(300, 1))
    few, all_of_it = multilabel.probe([0.05, 1.0]).run(case, 0, lambda *_: None)
    assert (few.setting, all_of_it.setting) == ("5 %", "100 %")
    assert all_of_it.metrics["mAP"] > max(0.75, few.metrics["mAP"])
    assert set(all_of_it.chosen) == {"learning rate", "held-out mAP"}
    assert len(all_of_it.per_class) == 5


def test_plan__nothing_to_choose_by_is_refused() -> None:
    train, test = several(40, 0), several(40, 1)
    bare = replace(train[1], offsets=np.zeros(41, np.int64), values=np.empty(0, np.int64))
    with pytest.raises(CatlipError, match="Of 40 training pictures 0 have a class; the probe needs two"):
        multilabel.probe([1.0]).run(as_case((train[0], bare), test), 0, lambda *_: None)


@pytest.mark.slow
def test_multilabel__coco_through_a_model_of_timm(test_data: Path, tmp_path: Path) -> None:
    result = probe_one(ask("test_vit", test_data / "coco-mini", tmp_path), "multilabel")
    [score] = result.scores
    assert result.data.num_train == 80
    assert result.data.chance is not None
    assert 0 < result.data.chance < score.metrics["mAP"].mean < 1
    assert len(score.per_class) == len(result.data.classes)


def test_probe__pictures_with_one_class_are_refused(tmp_path: Path) -> None:
    split = case_of(several(4, 0)[0], several(4, 0)[0]).splits[0]
    with pytest.raises(CatlipError, match="one class a picture; multilabel wants several"):
        probe_one(ask("test_vit", tmp_path, tmp_path, (split, split)), "multilabel")
