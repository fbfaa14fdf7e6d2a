"""Label sets → what stands in the page of a report."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version

import numpy as np
import pyarrow as pa

from labelgen.audit.associates import read_pairs
from labelgen.audit.classes import class_table
from labelgen.audit.flags import FLAG_TEXTS, FLAGS
from labelgen.audit.totals import Totals, read_totals, support_here
from labelgen.meaning.atlas import read_atlas
from labelgen.report.budget import budget
from labelgen.report.columns import columns
from labelgen.report.data import GRAVE, Core, Details, Picture, Report
from labelgen.report.details import details
from labelgen.report.pictures import thumbnails
from labelgen.report.setfacts import set_facts
from labelgen.report.union import union
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet

# A block is unpacked when something in it is looked at: small enough for that, and large enough to pack well.
CLASSES_PER_BLOCK = 256
PICTURES_PER_BLOCK = 64


def collect(
    label_sets: Sequence[LabelSet],
    *,
    thumbnails_per_class: int,
    moved: dict[str, str],
    on_step: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Report:
    """Read all that is shown. `on_step` hears what is read, how much is done, and how much there is.

    Raises CatlipError without WordNet, if a label set is given twice, or if one is damaged.
    """
    names = _names([label_set.root for label_set in label_sets])
    atlas = read_atlas()
    tables = [class_table(label_set, atlas) for label_set in label_sets]
    together = union([label_set.vocabulary for label_set in label_sets])
    facts, told = [], []
    has_pictures = any(thumbnails_per_class and label_set.manifest.totals.images for label_set in label_sets)
    room = budget(len(together.first), sum(map(len, tables)), with_pictures=has_pictures)
    pictures: list[Picture] = []
    for label_set, name, table, places in zip(label_sets, names, tables, together.places, strict=True):
        totals = read_totals(label_set, _telling(on_step, f"samples of {name}"))
        support = support_here(label_set, partial(_itself, totals))
        found = thumbnails(
            label_set,
            _gravest_first(table),
            per_class=thumbnails_per_class,
            budget_bytes=room.picture_bytes // len(label_sets),
            moved=moved,
            on_step=_telling(on_step, f"pictures of {name}"),
        )
        # Pictures are counted through all label sets.
        shown = [[len(pictures) + each for each in of_class] for of_class in found.of_class]
        pictures += found.pictures
        pairs = read_pairs(label_set, support)
        facts.append(set_facts(label_set, name, totals, pairs, places, found.problem))
        told.append(details(label_set, table, pairs, places, shown, room.caption_bytes))
    cells, tree, lexnames, families = columns(label_sets, tables, together, atlas)
    core = Core(
        sets=facts,
        families=families,
        lexnames=lexnames,
        flags=[(name, FLAG_TEXTS[name]) for name in FLAGS],
        grave=GRAVE,
        columns=cells,
        nodes=tree,
        classes_per_block=CLASSES_PER_BLOCK,
        pictures_per_block=PICTURES_PER_BLOCK,
        foot=f"Made by catlip {version('catlip')}. Glosses and tree: WordNet 3.0, Princeton University. Figures: "
        "plotly.js, Plotly, Inc., MIT licence.",
    )
    of_classes: list[list[Details | None]] = [
        [told[number][class_id] if class_id >= 0 else None for number, class_id in enumerate(ids)]
        for ids in together.ids.T.tolist()
    ]
    return Report(f"Vocabular{'y' if len(names) == 1 else 'ies'} of {' and '.join(names)}", core, of_classes, pictures)


def _telling(on_step: Callable[[str, int, int], None], what: str) -> Callable[[int, int], None]:
    return lambda done, total: on_step(what, done, total)


def _itself(totals: Totals) -> Totals:
    return totals


def _names(roots: Sequence[str]) -> list[str]:
    """Folders by as many of their last parts as tell them apart."""
    parts = [storage.absolute(root).rstrip("/").split("/") for root in roots]
    if len(set(map(tuple, parts))) < len(parts):
        raise CatlipError("The same label set is given twice. Name each of them once.")
    length = 2 if any(each[-1] == "labels" for each in parts) else 1  # what half of all label sets are called
    while len({tuple(each[-length:]) for each in parts}) < len(parts):
        length += 1
    return ["/".join(each[-length:]) for each in parts]


def _gravest_first(table: pa.Table) -> np.ndarray:
    """int64 [K]: class ids, those with the gravest flags first, then by support."""
    gravity = [min((FLAGS.index(flag) for flag in flags), default=len(FLAGS)) for flags in table["flags"].to_pylist()]
    return np.argsort(np.array(gravity, np.int64), kind="stable")
