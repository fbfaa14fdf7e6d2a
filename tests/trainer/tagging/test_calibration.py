from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from labelshards import parquet, storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, picture, vocabulary, write_label_set
from trainer import load_encoder
from trainer.tagging.calibration import FEWEST, Goal, calibrate, overview, read_thresholds, write_thresholds
from trainer.tagging.counts import NUM_STEPS, Counts, count, probability

STEPS = 12
Scores = tuple[np.ndarray, np.ndarray]


def counted(steps_N: np.ndarray, truth_N: np.ndarray) -> Scores:
    """[1, STEPS] each."""
    both = [np.bincount(steps_N[truth_N == wanted], minlength=STEPS)[None] for wanted in (True, False)]
    return both[0], both[1]


scores = st.lists(st.tuples(st.integers(0, STEPS - 1), st.booleans()), min_size=1, max_size=40).map(
    lambda rows: (np.array([step for step, _ in rows]), np.array([truth for _, truth in rows]))
)


@given(scores)
def test_goal__f1_is_the_best_of_all_thresholds(sample: Scores) -> None:
    steps_N, truth_N = sample
    [chosen] = Goal().choose(*counted(steps_N, truth_N))

    def f1(step: int) -> float:
        shown_N = steps_N >= step
        return 2 * float((shown_N & truth_N).sum()) / max(1, int(shown_N.sum() + truth_N.sum()))

    assert f1(int(chosen)) == pytest.approx(max(map(f1, range(STEPS + 1))))
    assert all(f1(step) < f1(int(chosen)) for step in range(int(chosen) + 1, STEPS + 1)) or not truth_N.any()


@given(scores, st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_goal__precision_shows_as_much_as_it_may(sample: Scores, wanted: float) -> None:
    steps_N, truth_N = sample
    [chosen] = Goal(precision=wanted).choose(*counted(steps_N, truth_N))
    good = [
        step for step in range(STEPS) if truth_N[steps_N >= step].any() and truth_N[steps_N >= step].mean() >= wanted
    ]
    assert chosen == min(good, default=STEPS)


def test_count__every_picture_falls_where_its_logit_does(trained: Path, labels: Path) -> None:
    encoder, label_set = load_encoder(trained), LabelSet.open(str(labels))
    found = count(encoder, label_set, 1000, {}, lambda _done, _total: None)
    assert (found.pictures, found.problems) == (30, {})
    assert found.positives_KL.sum(1).tolist() == label_set.vocabulary.support.tolist()
    assert (found.positives_KL + found.negatives_KL).sum(1).tolist() == [30] * 4
    shard = label_set.read_shard(0)
    with torch.inference_mode():
        x_CHW = encoder.picture(picture(COLOURS[0], seed=0))
        score = float(encoder.model(x_CHW[None]).sigmoid()[0, 0])
    assert shard.labels(0).tolist() == [0]
    step = int(np.searchsorted(probability(np.arange(NUM_STEPS)), score, side="right")) - 1
    assert found.positives_KL[0, step] > 0


def test_count__draws_evenly_and_tells_of_broken_ones(trained: Path, labels: Path, tmp_path: Path) -> None:
    encoder = load_encoder(trained)
    told: list[tuple[int, int]] = []
    found = count(encoder, LabelSet.open(str(labels)), 7, {}, lambda *done: told.append(done))
    assert (found.pictures, told[-1]) == (7, (7, 7))
    items = [Item(key="a", labels=[0], image=picture(COLOURS[0])), Item(key="b", labels=[1], image=b"broken")]
    broken = LabelSet.open(str(write_label_set(tmp_path / "a", [items])))
    assert count(encoder, broken, 9, {}, lambda *_: None).problems == {"no known format": 1}
    nothing = LabelSet.open(str(write_label_set(tmp_path / "b", [items[1:]])))
    with pytest.raises(CatlipError, match=r"No picture of .* could be read: 1 no known format"):
        count(encoder, nothing, 9, {}, lambda *_: None)


def test_calibrate__says_what_its_thresholds_do() -> None:
    rng = np.random.default_rng(0)
    truth_NK = rng.random((400, 3)) < 0.3
    truth_NK[:, 2] = np.arange(400) < FEWEST - 1
    steps_NK = np.clip(250 + 60 * truth_NK + rng.normal(0, 40, (400, 3)), 0, NUM_STEPS - 1).astype(int)
    positives_KL, negatives_KL = (
        np.stack([np.bincount(steps_NK[truth_NK[:, k] == wanted, k], minlength=NUM_STEPS) for k in range(3)])
        for wanted in (True, False)
    )
    found = Counts(positives_KL=positives_KL, negatives_KL=negatives_KL, pictures=400, problems=Counter())
    table = calibrate(found, vocabulary(3), Goal())
    thresholds_K = table["threshold"].to_numpy()
    for k in range(3):
        shown_N = probability(steps_NK[:, k]) >= thresholds_K[k]
        assert table["precision"][k].as_py() == pytest.approx(precision_score(truth_NK[:, k], shown_N))
        assert table["recall"][k].as_py() == pytest.approx(recall_score(truth_NK[:, k], shown_N))
    assert table["pooled"].to_pylist() == [False, False, True]
    assert overview(table).pooled == 1


def test_calibrate__a_class_that_never_reaches_the_goal_is_no_tag() -> None:
    counts_KL = np.zeros((2, NUM_STEPS), np.int64)
    right_KL, wrong_KL = counts_KL.copy(), counts_KL.copy()
    right_KL[0, 300], wrong_KL[0, 200], right_KL[1, 100], wrong_KL[1, 400] = 10, 10, 10, 10
    found = Counts(positives_KL=right_KL, negatives_KL=wrong_KL, pictures=20, problems=Counter())
    table = calibrate(found, vocabulary(2), Goal(precision=0.9))
    assert table["threshold"].to_pylist() == [pytest.approx(probability(np.array(201))), np.inf]
    assert (overview(table).own, overview(table).never) == (2, 1)
    assert table["recall"].to_pylist() == [1.0, None]


def test_thresholds__go_with_one_vocabulary(tmp_path: Path) -> None:
    counts_KL = np.ones((4, NUM_STEPS), np.int64)
    found = Counts(positives_KL=counts_KL, negatives_KL=counts_KL, pictures=9, problems=Counter())
    where = str(tmp_path / "t.parquet")
    table = calibrate(found, vocabulary(4), Goal())
    write_thresholds(table, where)
    np.testing.assert_array_equal(read_thresholds(where, vocabulary(4)), table["threshold"].to_numpy())
    with pytest.raises(CatlipError, match="thresholds for another vocabulary"):
        read_thresholds(where, vocabulary(4, prefix="shade"))
    for data in (b"no Parquet", parquet.to_bytes(pa.table({"x": [1]}))):
        storage.write_bytes(where, data)
        with pytest.raises(CatlipError, match="holds no thresholds"):
            read_thresholds(where, vocabulary(4))


def test_probability__of_the_first_step_is_none() -> None:
    assert probability(np.array([0, 280, NUM_STEPS - 1])).tolist() == [0, 0.5, pytest.approx(1, abs=1e-5)]
