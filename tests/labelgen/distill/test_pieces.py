import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.distill.pieces import Pieces, Row, cut
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import _sentence_case


def texts_of(pieces: Pieces, row: Row) -> list[str]:
    known = pieces.texts()
    return [
        "".join(known[number] for number in row.numbers[first:end]).removeprefix(" ")
        for first, end in zip(row.firsts, row.ends, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog's t-shirt.", [" a", " dog", "'s", " t", "-", "shirt", "."]),
        ("1,000.5 km", [" 1,000.5", " km"]),
        ("don't (go)", [" don", "'t", " (", "go", ")"]),
        ("'snow", [" '", "snow"]),
    ],
)
def test_cut__spaces_stay_with_what_follows(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_read__pieces_joined_are_the_text_as_spacy_gets_it(captions: list[str]) -> None:
    pieces = Pieces()
    assert texts_of(pieces, pieces.read(captions)) == [_sentence_case(caption) for caption in captions]


def test_read__breaks_keep_neighbours_apart() -> None:
    row = Pieces().read(["a", "b c"])
    assert row.numbers.tolist() == [0, 0, 1, 0, 0, 2, 3, 0, 0]
    assert (row.firsts.tolist(), row.ends.tolist()) == ([2, 5], [3, 7])


@given(st.lists(st.text().map(lambda text: normalize(text)[0]).filter(bool), min_size=1))
def test_read__any_text_is_kept(texts: list[str]) -> None:
    pieces = Pieces()
    pieces.read(["What Came Before Us", "what came"])
    assert texts_of(pieces, pieces.read(texts)) == [_sentence_case(text) for text in texts]
