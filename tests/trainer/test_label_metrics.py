import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from trainer.label_metrics import average_precision, mean_average_precisions


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30).filter(
        lambda rows: any(truth for _, truth in rows)
    )
)
def test_average_precision__is_scikit_learns(rows: list[tuple[int, bool]]) -> None:
    """With many equal scores, as small whole numbers have them."""
    scores = np.array([score for score, _ in rows], dtype=np.float32)
    truth = np.array([truth for _, truth in rows])
    assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores), rel=1e-12)


def test_average_precision__without_positives_there_is_none() -> None:
    assert math.isnan(average_precision(np.array([1.0, 2.0]), np.array([False, False])))
    assert math.isnan(average_precision(np.array([]), np.array([], dtype=bool)))


def test_mean_average_precisions__by_support() -> None:
    """Six classes: the two frequent ones are ranked rightly, the two rare ones last."""
    truth_NK = np.eye(6, dtype=bool)
    scores_NK = np.where(truth_NK, 1.0, 0.0)
    scores_NK[:, 4:] = np.where(truth_NK[:, 4:], -1.0, 0.0)
    support_K = np.array([60, 50, 40, 30, 20, 10])
    means = mean_average_precisions(scores_NK, truth_NK, support_K)
    assert means == pytest.approx({"all": (4 + 2 / 6) / 6, "head": 1.0, "middle": 1.0, "tail": 1 / 6})


def test_mean_average_precisions__classes_that_do_not_occur_do_not_count() -> None:
    truth_NK = np.array([[True, False], [False, False]])
    assert mean_average_precisions(np.zeros((2, 2)), truth_NK, np.array([1, 2])) == {"all": 0.5, "head": 0.5}
    assert mean_average_precisions(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool), np.array([1, 2])) == {}
