"""The table of all classes in a report, described by the first label set that has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelgen.audit.classes import class_places
from labelgen.audit.flags import FLAGS
from labelgen.meaning.atlas import Atlas
from labelgen.report.data import Columns, Nodes
from labelgen.report.nodes import nodes
from labelgen.report.union import Union
from labelshards.labelset import LabelSet


def columns(
    label_sets: Sequence[LabelSet], tables: Sequence[pa.Table], together: Union, atlas: Atlas
) -> tuple[Columns, Nodes, list[str], list[str]]:
    """(columns, the tree their nodes are of, names of lexicographer files, names of families).

    tables: audit.classes.class_table of each label set.
    """

    def described(name: str) -> list[Any]:
        values = [table[name].to_pylist() for table in tables]
        return [values[number][class_id] for number, class_id in together.first]

    def in_each(values: Sequence[Sequence[Any]], absent: object) -> list[list[Any]]:
        return [
            [of_set[class_id] if class_id >= 0 else absent for class_id in ids]
            for of_set, ids in zip(values, together.ids.tolist(), strict=True)
        ]

    places = [class_places(label_set.vocabulary, atlas) for label_set in label_sets]
    tree, node = nodes(np.array([places[number][class_id] for number, class_id in together.first], np.int64), atlas)
    lexnames, lexname = _numbered(described("lexname"))
    families, family = _numbered(described("family"))
    ambiguity = [
        [None if value is None else round(value, 3) for value in table["ambiguity"].to_pylist()] for table in tables
    ]
    bits = in_each([[_bits(flags) for flags in table["flags"].to_pylist()] for table in tables], 0)
    found = Columns(
        synset=described("synset"),
        wnid=described("wnid"),
        lemmas=[", ".join(lemmas) for lemmas in described("lemmas")],
        gloss=described("gloss"),
        lexname=lexname,
        family=family,
        flags=np.bitwise_or.reduce(np.array(bits, np.int64), axis=0).tolist(),
        node=node,
        support=in_each([table["support"].to_pylist() for table in tables], 0),
        ambiguity=in_each(ambiguity, None),
    )
    return found, tree, lexnames, families


def _numbered(values: list[str]) -> tuple[list[str], list[int]]:
    """The distinct values in their order, and the place of each value among them."""
    known = sorted(set(values))
    place = {value: at for at, value in enumerate(known)}
    return known, [place[value] for value in values]


def _bits(flags: list[str]) -> int:
    return sum(1 << FLAGS.index(flag) for flag in flags)
