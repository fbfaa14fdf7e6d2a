"""How charts look, and their PNG: matplotlib without pyplot, and without what its user has set for other figures."""

import io
import warnings
from contextlib import AbstractContextManager

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator

QUIET = "#817c71"
_INK, _GRID = "#26241f", "#e6e3dc"
# Okabe and Ito's colours, which everybody can tell apart; markers tell lines apart without colour.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v")
_STYLE = {
    "axes.autolimit_mode": "round_numbers",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": QUIET,
    # Seven colours and five markers, side by side: 35 pairs before one comes again.
    "axes.prop_cycle": cycler(color=_COLOURS * len(_MARKERS), marker=_MARKERS * len(_COLOURS)),
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 11,
    "axes.xmargin": 0,
    "axes.ymargin": 0,
    **{f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")},
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.dpi": 200,
    "font.size": 9,
    "grid.color": _GRID,
    "legend.frameon": False,
    "lines.markersize": 5,
    "text.color": _INK,
    "text.parse_math": False,  # names may have dollars
    "xaxis.labellocation": "right",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "ytick.major.size": 0,
}


def style() -> AbstractContextManager[None]:
    """Within it figures look like this; around it nothing changes."""
    return matplotlib.style.context(["default", _STYLE])


def show_shares(axes: Axes) -> None:
    """Of what is drawn by now, which are shares: percent upwards, from a round one to a round one in [0, 1]."""
    locator = MaxNLocator(6, steps=[1, 2, 5, 10])
    found = locator.tick_values(*locator.nonsingular(*axes.dataLim.intervaly))
    axes.set_yticks(ticks := [tick for tick in found if 0 <= round(tick, 6) <= 1])
    axes.set_ylim(ticks[0], ticks[-1])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")


def png(figure: Figure) -> bytes:
    """The content of a PNG file, the same for the same figure. Letters that the font does not have become boxes."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")
        figure.savefig(out, format="png", metadata={"Software": None})  # no version of matplotlib in it
    return out.getvalue()
