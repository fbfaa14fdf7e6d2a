"""What is said of a class when it is opened."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelgen.atlas import Atlas
from labelgen.audit.classes import class_table
from labelgen.report.data import Details
from labelgen.report.details import details
from labelshards import schema
from labelshards.labelset import LabelSet
from tests import labelset_factory
from tests.labelgen.report.conftest import vocabulary

TERMS = {
    "dog": (30, ["a dog", "the dog", "dogs!"]),
    "dogs": (20, ["two dogs", "a dog"]),
    "domestic dog": (1, ["x" * 300]),
    **{f"dog {number}": (1, [f"dog number {number}"]) for number in range(9)},
}


@pytest.fixture
def tell(tmp_path: Path, atlas: Atlas) -> Callable[..., Details]:
    """`tell(characters)`: of a class that many terms gave, with about so many characters of captions."""
    rows = [{"class_id": 0, "term": term, "count": count, "captions": told} for term, (count, told) in TERMS.items()]
    root = labelset_factory.write_label_set(
        tmp_path,
        [[]],
        words=vocabulary(atlas, [("dog.n.01", "nouns", 50)]),
        tables={schema.EXAMPLES_NAME: pa.Table.from_pylist(rows, schema.EXAMPLES)},
    )
    label_set = LabelSet.open(str(root))

    def of(characters: int) -> Details:
        table = class_table(label_set, atlas)
        (found,) = details(label_set, table, np.array([50]), np.array([0]), [[4, 2]], characters)
        return found

    return of


def test_details__terms_and_captions_in_turn(tell: Callable[..., Details]) -> None:
    found = tell(10_000)
    assert found.terms[:2] == [("dog", 30), ("dogs", 20)]
    assert len(found.terms) + found.more_terms == len(TERMS)
    captions = [caption for caption, _ in found.captions]
    assert captions[:2] == ["a dog", "two dogs"]
    assert captions[2] == "x" * 219 + "…"
    assert len(captions) == len(set(captions)) == 6, "the same caption is told once"
    assert dict(found.captions)["two dogs"] == "dogs"
    assert found.pictures == [4, 2]
    assert found.associates == []


@pytest.mark.parametrize(("characters", "expected"), [(0, 1), (5, 1), (6, 2), (13, 2), (14, 3), (10_000, 6)])
def test_details__captions_within_their_room(tell: Callable[..., Details], characters: int, expected: int) -> None:
    assert len(tell(characters).captions) == expected
