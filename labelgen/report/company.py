"""The matrix of the most frequent classes: those of like company stand beside each other."""

import numpy as np

from labelgen.audit.associates import Pairs, top_matrix
from labelgen.report.data import Company

_CLASSES = 48
_RAREST = 1 / 64


def company(pairs: Pairs, places: np.ndarray) -> Company:
    """Of one label set with K classes. places: int64 [K], where they stand in the report."""
    lift = top_matrix(pairs, min(_CLASSES, len(places))).astype(np.float64)
    order = _order(lift)
    shown = [
        [None if np.isnan(value) or value == 0 else round(max(value, _RAREST), 3) for value in row]
        for row in lift[np.ix_(order, order)].tolist()
    ]
    return Company(places[order].tolist(), shown)


def _order(lift: np.ndarray) -> np.ndarray:
    """int64: rows by the second eigenvector of the graph's Laplacian, which puts bound ones side by side."""
    if len(lift) < 3:
        return np.arange(len(lift))
    bonds = np.log2(np.maximum(np.nan_to_num(lift), 1)) + 1e-3  # never two graphs apart from each other
    np.fill_diagonal(bonds, 0)
    scale = 1 / np.sqrt(bonds.sum(axis=1))
    laplacian = np.eye(len(bonds)) - scale[:, None] * bonds * scale[None, :]
    second = np.linalg.eigh(laplacian)[1][:, 1] * scale  # they rise by eigenvalue; the first says nothing
    second *= 1 if second[0] <= 0 else -1  # its sign means nothing: the most frequent class stands first
    return np.argsort(second, kind="stable")
