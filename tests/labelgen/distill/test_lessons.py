import numpy as np
import pytest

from labelgen.distill.fit import fit
from labelgen.distill.lessons import align
from labelgen.distill.pieces import cut
from labelgen.distill.tagset import CLASSES, HEAD, INSIDE, NUM_CLASSES
from labelgen.distill.weights import Weights
from labelgen.parsing.parse import Parse, Word
from labelshards.errors import CatlipError


def test_align__a_word_in_pieces_has_its_class_at_its_end() -> None:
    words = (
        Word("12-year", "JJ", False),
        Word("-", "HYPH", False),
        Word("olds", "NNS", True),
        Word("don't", "VB", False),
    )
    found = align(cut("12-year-olds don't"), Parse(words, ((0, 3),)))
    assert found is not None
    assert [CLASSES[number] for number in found] == [
        ("", INSIDE), ("", INSIDE), ("JJ", INSIDE), ("", INSIDE), ("NNS", HEAD), ("", 0), ("VB", 0),
    ]  # fmt: skip


def test_align__refuses_a_parse_of_another_text() -> None:
    assert align(cut("two dogs"), Parse((Word("dogs", "NNS", False),), ())) is None


def test_fit__learns_what_tells_classes_apart() -> None:
    features = np.array([[1, 0], [2, 0], [1, 3], [2, 3]] * 50, np.int32)
    classes = np.array([4, 5, 4, 5] * 50)
    rows = fit(features, classes, 4)
    assert rows.dtype == np.int16
    assert rows[[1, 2]].argmax(axis=1).tolist() == [4, 5]
    assert not rows[0].any()
    assert (rows == fit(features, classes, 4)).all()


def test_weights__come_back_from_their_file() -> None:
    rows = np.arange(3 * NUM_CLASSES, dtype=np.int16).reshape(3, -1)
    rows[0] = 0
    weights = Weights({("0", "word=dog"): 1, ("-1 0", "a|b"): 2}, rows)
    found = Weights.from_bytes(weights.to_bytes({}), "here")
    assert found.numbers == weights.numbers
    assert (found.rows == rows).all()
    assert found.of("0", [("word=dog", "word=cat")]).tolist() == [rows[1].tolist()]


def test_weights__refuse_what_would_overflow() -> None:
    data = Weights({("0", "a"): 1}, np.full((2, NUM_CLASSES), 20_000, np.int16)).to_bytes({})
    with pytest.raises(CatlipError, match="here holds weights that cannot be"):
        Weights.from_bytes(data, "here")


def test_weights__refuse_other_files() -> None:
    with pytest.raises(CatlipError, match="here is no table of a distilled labeler"):
        Weights.from_bytes(b"PAR1", "here")
