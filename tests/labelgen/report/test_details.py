"""What is said of a class when it is opened."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelgen.audit.associates import read_pairs
from labelgen.audit.classes import class_table
from labelgen.meaning.atlas import Atlas
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


Terms = Mapping[str, tuple[int, list[str]]]


@pytest.fixture
def tell(tmp_path: Path, atlas: Atlas) -> Callable[..., Details]:
    """`tell(most_bytes)`: of a class that many terms gave, with at most so many bytes of captions."""

    def of(most_bytes: int, terms: Terms = TERMS) -> Details:
        rows = [
            {"class_id": 0, "term": term, "count": count, "captions": told} for term, (count, told) in terms.items()
        ]
        root = labelset_factory.write_label_set(
            tmp_path,
            [[]],
            words=vocabulary(atlas, [("dog.n.01", "nouns", 50)]),
            tables={schema.EXAMPLES_NAME: pa.Table.from_pylist(rows, schema.EXAMPLES)},
        )
        label_set = LabelSet.open(str(root))
        table = class_table(label_set, atlas)
        (found,) = details(label_set, table, read_pairs(label_set, np.array([50])), np.array([0]), [[4, 2]], most_bytes)
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


@pytest.mark.parametrize(("most_bytes", "expected"), [(0, 0), (4, 0), (5, 1), (12, 1), (13, 2), (10_000, 6)])
def test_details__captions_within_their_room(tell: Callable[..., Details], most_bytes: int, expected: int) -> None:
    assert len(tell(most_bytes).captions) == expected


def test_details__a_caption_that_has_no_room_is_cut(tell: Callable[..., Details]) -> None:
    terms = {"dog": (30, ["犬" * 100])}
    assert tell(60, terms).captions == [("犬" * 19 + "…", "dog")], "twenty of three bytes each"
    assert tell(29, terms).captions == []
