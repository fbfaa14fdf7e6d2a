import io

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from trainer import plots

NAMES = ["$x$", "$", r"\frac{1}{2}", "_run", "鳥"]  # "鳥": matplotlib's own font has no such letter


def picture() -> bytes:
    with plots.style():
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        handles = [axes.plot([1, 2], [0.2, 0.3 + 0.1 * number])[0] for number in range(len(NAMES))]
        axes.set_title("$x$")
        figure.legend(handles, NAMES, loc="outside lower left")
        return plots.png(figure)


def test_png__is_the_same_for_the_same_figure_whatever_others_have_set() -> None:
    expected = picture()
    before = dict(matplotlib.rcParams)
    assert picture() == expected
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"lines.linewidth": 9, "figure.facecolor": "black", "savefig.dpi": 30}):
        assert picture() == expected
    with Image.open(io.BytesIO(expected)) as image:
        assert image.size == (600, 400)
        assert set(image.info) <= {"dpi"}, "neither a date nor a version"


@pytest.mark.parametrize(
    ("shares", "ticks"),
    [
        ([0.2, 0.6], ["20%", "30%", "40%", "50%", "60%"]),
        ([0.971, 0.9733], ["97.1%", "97.15%", "97.2%", "97.25%", "97.3%", "97.35%"]),
        ([0.0], ["0%", "2%", "4%", "6%"]),
        ([1.0], ["94%", "96%", "98%", "100%"]),
        ([0.03, 0.99], ["0%", "20%", "40%", "60%", "80%", "100%"]),
    ],
)
def test_show_shares__from_a_round_one_to_a_round_one(shares: list[float], ticks: list[str]) -> None:
    assert shown(shares) == ticks


def shown(shares: list[float]) -> list[str]:
    """The ticks' labels, lowest first."""
    axes = Figure().subplots()
    axes.plot(shares)
    plots.show_shares(axes)
    low, high = axes.get_ylim()
    assert low <= min(shares) + 1e-9
    assert max(shares) - 1e-9 <= high
    assert (axes.get_yticks()[0], axes.get_yticks()[-1]) == (low, high)
    return [label.get_text() for label in axes.get_yticklabels()]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=3))
def test_show_shares__hold_what_is_drawn(ten_thousandths: list[int]) -> None:
    labels = shown([each / 10_000 for each in ten_thousandths])
    assert 2 <= len(set(labels)) == len(labels) <= 8
    assert np.ptp([float(label.rstrip("%")) for label in labels]) > 0
    assert not any(label.startswith("-") for label in labels)
