import numpy as np
import pytest

from labelgen.distill.tagset import CLASSES, HEAD, INSIDE, OUTSIDE, chunks_of, classes_of
from labelgen.parsing.parse import Parse, Word

PLACES = {".": OUTSIDE, "i": INSIDE, "H": HEAD}


@pytest.mark.parametrize(
    ("tags", "places", "chunks"),
    [
        ("DT NN VB DT NN", "iH.iH", [(0, 2), (3, 5)]),
        ("NN NN", "HH", [(0, 1), (1, 2)]),
        ("JJ NN ", "ii.", [(0, 2)]),  # a noun that nothing follows ends its chunk
        ("JJ NN", "ii", [(0, 2)]),
        ("DT JJ ", "ii.", []),
        ("NN DT", "Hi", [(0, 1)]),
        ("", ".", []),
    ],
)
def test_chunks_of__ends_them_at_nouns(tags: str, places: str, chunks: list[tuple[int, int]]) -> None:
    classes = [CLASSES.index((tag, PLACES[place])) for tag, place in zip(tags.split(" "), places, strict=True)]
    inside, starts, ends = chunks_of(np.array(classes))
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == chunks
    expected = np.full(len(classes), -1)
    for number, (start, end) in enumerate(chunks):
        expected[start:end] = number
    assert inside.tolist() == expected.tolist()


def test_classes_of__knows_what_terms_need() -> None:
    tags = ["PRP$", "JJR", "NNS", "VBG", "DT", "JJ", "RB"]
    parse = Parse(tuple(Word("word", tag, True) for tag in tags), ((0, 3), (4, 6)))
    assert [CLASSES[number] for number in classes_of(parse)] == [
        ("CD", INSIDE),
        ("JJ", INSIDE),
        ("NNS", HEAD),
        ("VBG", OUTSIDE),
        ("DT", OUTSIDE),
        ("JJ", OUTSIDE),
        ("", OUTSIDE),
    ]
