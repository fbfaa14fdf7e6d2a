from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from labelshards.hierarchy import Hierarchy
from tests.labelset_factory import COLOURS, picture
from trainer import load_encoder
from trainer.encoders.encoder import Encoder
from trainer.tagging import tagger
from trainer.tagging.tagger import TagRules, tagging

# colour0 and colour1 are warm, colour0 alone is hot; colour2 stands below nothing.
ABOVE = Hierarchy(
    synsets=("warm.n.01", "hot.n.01"),
    words=("warm", "hot"),
    offsets=np.array([0, 2, 3, 3, 3]),
    values=np.array([1, 0, 0]),
)


@pytest.fixture(scope="module")
def encoder(trained: Path) -> Encoder:
    return load_encoder(trained)


def tags(encoder: Encoder, **rules: object) -> tuple[np.ndarray, list[list[list[object]]]]:
    """(probabilities of four pictures, the columns of their tags)."""
    settings = {"top": 10, "thresholds_K": np.zeros(4, np.float32), "said": "0"} | rules
    work = tagging(encoder, TagRules(**settings))  # type: ignore[arg-type]
    x_BCHW = torch.stack([encoder.picture(picture(COLOURS[number])) for number in range(4)])
    with torch.inference_mode():
        return encoder.model(x_BCHW).sigmoid().numpy(), [column.to_pylist() for column in work.compute(x_BCHW)]


def test_tagging__likeliest_first(encoder: Encoder) -> None:
    probabilities_BK, (synsets, probabilities) = tags(encoder, top=3)
    for b in range(4):
        order = np.argsort(-probabilities_BK[b])[:3]
        assert synsets[b] == [f"colour{class_id}.n.01" for class_id in order]
        assert probabilities[b] == pytest.approx(probabilities_BK[b][order].tolist())
        assert synsets[b][0] == f"colour{b}.n.01", "the tiny encoder knows its colours"


def test_tagging__each_class_has_its_threshold(encoder: Encoder) -> None:
    probabilities_BK, _ = tags(encoder)
    thresholds_K = np.array([np.inf, probabilities_BK[1, 1], 0, 0.99], np.float32)
    _, (synsets, _) = tags(encoder, thresholds_K=thresholds_K)
    assert "colour1.n.01" in synsets[1], "a threshold that is just reached counts"
    assert all("colour2.n.01" in row and "colour0.n.01" not in row for row in synsets)


def test_tagging__no_tag_is_an_empty_list(encoder: Encoder) -> None:
    _, (synsets, probabilities) = tags(encoder, thresholds_K=np.full(4, 2, np.float32))
    assert synsets == probabilities == [[], [], [], []]


def test_tagging__what_stands_above_is_as_probable_as_the_likeliest_below(encoder: Encoder) -> None:
    found_BK, (_, _, above, probabilities) = tags(encoder, hierarchy=ABOVE)
    for b in range(4):
        said = dict(zip(above[b], probabilities[b], strict=True))
        assert said == pytest.approx({"warm.n.01": float(found_BK[b, :2].max()), "hot.n.01": float(found_BK[b, 0])})
    assert above[0] == ["hot.n.01", "warm.n.01"], "of equals the narrower one comes first"


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.floats(0.015625, 1, width=32)), max_size=4, unique_by=lambda t: t[0])
    )
)
def test_above__is_the_maximum_over_what_stands_below(rows: list[list[tuple[int, float]]]) -> None:
    flat = [(row, *tag) for row, of_row in enumerate(rows) for tag in of_row]
    places, classes = (np.array([each[at] for each in flat], np.int64) for at in (0, 1))
    scores = np.array([probability for _, _, probability in flat], np.float32)
    names, probabilities = (each.to_pylist() for each in tagger._above(ABOVE, len(rows), places, classes, scores))
    above = np.split(ABOVE.values, ABOVE.offsets[1:-1])
    for row, of_row in enumerate(rows):
        expected = {
            synset: max((p for class_id, p in of_row if number in above[class_id]), default=0)
            for number, synset in enumerate(ABOVE.synsets)
        }
        assert dict(zip(names[row], probabilities[row], strict=True)) == {s: p for s, p in expected.items() if p}
        assert probabilities[row] == sorted(probabilities[row], reverse=True)


def test_tagging__a_model_without_words_is_refused(encoder: Encoder) -> None:
    silent = Encoder(model=encoder.model, picture=encoder.picture, device=encoder.device)
    with pytest.raises(CatlipError, match="has no head with a vocabulary"):
        tagging(silent, TagRules(top=1, thresholds_K=np.zeros(4, np.float32), said="0"))
