import io

import numpy as np
import pytest
from PIL import Image

from trainer import plots
from trainer.probes import chart
from trainer.probes.compare import Line, Panel, Point


def panel(*lines: list[tuple[str, float, float]], names: str = "name") -> Panel:
    return Panel("title", "top-1", [Line(names, [Point(*each) for each in line]) for line in lines])


def drawn(*lines: list[tuple[str, float, float]]) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(chart.draw([panel(*lines)]))).convert("RGB"))


def where(pixels: np.ndarray) -> np.ndarray:
    """(y, x) of the pixels of the first line; its marker in the legend, below the field, is none of them."""
    found = np.argwhere((np.abs(pixels.astype(int) - (0x00, 0x72, 0xB2)) < 12).all(-1))
    return found[found[:, 0] < 0.8 * len(pixels)]


def test_draw__lines_are_where_the_numbers_are() -> None:
    """40 % is in the middle between 20 % and 60 %, and so is 10 % between 1 % and 100 %."""
    found = where(drawn([("1 %", 0.2, 0), ("10 %", 0.4, 0), ("100 %", 0.6, 0)]))
    left, right = found[:, 1].min(), found[:, 1].max()
    heights = [np.median(found[np.abs(found[:, 1] - x) < 3, 0]) for x in (left, (left + right) / 2, right)]
    assert heights[0] > heights[1] + 100 > heights[2] + 200, "it rises"
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2, abs=3)


def test_draw__settings_are_ordered_by_their_numbers_and_words_are_not_joined() -> None:
    falls = where(drawn([("100 %", 0.6, 0), ("1 %", 0.2, 0)]))
    assert falls[falls[:, 1].argmin()][0] > falls[falls[:, 1].argmax()][0]
    middle = (falls[:, 1].min() + falls[:, 1].max()) / 2
    assert (np.abs(falls[:, 1] - middle) < 20).any()
    words = where(drawn([("as trained", 0.2, 0), ("frequency removed", 0.6, 0)]))
    assert not (np.abs(words[:, 1] - middle) < 20).any()


def test_draw__a_bar_is_as_long_as_the_deviation_and_ends_where_shares_do() -> None:
    def length(std: float) -> int:
        return int(np.ptp(where(drawn([("1 %", 0.1, std)], [("2 %", 0.0, 0), ("3 %", 1.0, 0)]))[:, 0]))

    tenth = length(0.1) - length(0.05)
    assert tenth > 20
    assert length(0.4) - length(0.1) == pytest.approx(3 * tenth, abs=4), "from 0 to 50 %, and from 0 to 20 %"


def test_draw__two_models_are_two_lines_in_every_panel_and_in_its_legend() -> None:
    with plots.style():
        figure = chart._figure([panel([("1 %", 0.2, 0)], [("1 %", 0.4, 0)], names=f"{number}") for number in range(2)])
    assert [
        [(text.get_text(), handle.get_marker(), handle.get_color()) for text, handle in zip(*legend, strict=True)]
        for part in figure.subfigs
        for legend in [(part.legends[0].get_texts(), part.legends[0].get_lines())]
    ] == [[(name, "o", "#0072b2"), (name, "s", "#d55e00")] for name in ("0", "1")]


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0, 1.0 + 1e-15])
def test_draw__one_number_many_lines_and_wide_spreads(mean: float) -> None:
    many = drawn(*[[("k = 10", mean, 0.3)] for _ in range(9)])
    one = drawn([("k = 10", mean, 0.0)])
    assert many.shape[1] == one.shape[1]
    assert many.shape[0] > one.shape[0], "there is room for the legend"


@pytest.mark.parametrize("name", ["model " * 60, "vit_base_patch16_224." * 15])
def test_draw__nothing_is_cut_off(name: str) -> None:
    """Long names and many settings have lines enough: the picture has a white edge all around."""
    settings = [(f"with {number} more words", 0.5, 0.1) for number in range(9)]
    pixels = np.array(Image.open(io.BytesIO(chart.draw([panel(settings, settings, names=name)]))).convert("L"))
    assert min(edge.min() for edge in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:])) == 255
