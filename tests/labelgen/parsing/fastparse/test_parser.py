"""What holds for the fast parser whatever it is fed: no batch, order or memory changes a parse; others are refused."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgen import language_data
from labelgen.parsing.fastparse.arithmetic import product
from labelgen.parsing.fastparse.parser import FastParser
from labelgen.parsing.fastparse.recognise import UnknownModelError, recognise
from labelgen.parsing.fastparse.tag_chunks import of_words
from labelgen.parsing.nouns import TAGS, ChunkParser
from tests.labelgen.tagged import parses_of, tagged


@pytest.fixture(scope="module")
def nlp() -> Any:  # noqa: ANN401  (spaCy is untyped)
    with pytest.MonkeyPatch.context() as patch:
        if "torch" not in sys.modules:
            patch.setitem(sys.modules, "torch", None)
        import spacy

        return spacy.load(language_data.spacy_model(), exclude=["ner", "lemmatizer"])


@pytest.fixture(scope="module")
def texts(test_data: Path) -> list[str]:
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()
    return [line.partition("\t")[0].strip() for line in lines[3_000:3_300]]


@settings(max_examples=20)
@given(rows=st.integers(1, 100), seed=st.integers(0, 9), block=st.sampled_from([32, 64, 128]))
def test_product__of_a_row_does_not_depend_on_the_others(rows: int, seed: int, block: int) -> None:
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((rows, 288), np.float32)
    weights = random.standard_normal((288, 106), np.float32)
    alone = np.concatenate([product(row[None], weights, block) for row in inputs])
    np.testing.assert_array_equal(product(inputs, weights, block), alone)
    np.testing.assert_allclose(alone, inputs @ weights, rtol=1e-3, atol=1e-3)


def test_encode__is_the_same_to_the_last_bit_in_any_batch_and_order(nlp: Any, texts: list[str]) -> None:  # noqa: ANN401
    def vectors(parser: FastParser, texts: list[str]) -> np.ndarray:
        return parser._encoder.encode(*parser._table.rows(texts))

    with nlp.memory_zone():
        together = vectors(FastParser(nlp, with_arcs=True), texts)
        other = FastParser(nlp, with_arcs=True)
        backwards = [vectors(other, [text]) for text in reversed(texts)]
    np.testing.assert_array_equal(together, np.concatenate(backwards[::-1]))


def test_parse__forgetting_words_changes_nothing(nlp: Any, texts: list[str]) -> None:  # noqa: ANN401
    with nlp.memory_zone():
        expected = parses_of(FastParser(nlp, with_arcs=True), texts)
        forgetful = FastParser(nlp, with_arcs=True, max_words=50)
        parses = [parse for start in range(0, 300, 30) for parse in parses_of(forgetful, texts[start : start + 30])]
    assert parses == expected
    assert len(forgetful._table) < 400


def test_parse__after_the_memory_zone_in_which_words_were_met(nlp: Any, texts: list[str]) -> None:  # noqa: ANN401
    parser = FastParser(nlp, with_arcs=True)
    with nlp.memory_zone():
        first = parses_of(parser, texts)
    with nlp.memory_zone():
        list(nlp.pipe(["entirely other words zxq vbnm " * 20]))
        assert parses_of(parser, texts[::-1]) == first[::-1]


def test_recognise__refuses_what_is_built_otherwise(nlp: Any) -> None:  # noqa: ANN401
    import spacy

    with pytest.raises(UnknownModelError, match="components"):
        recognise(spacy.blank("en"))
    with pytest.raises(UnknownModelError, match="language"):
        recognise(spacy.blank("de"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nlp.get_pipe("parser").cfg, "beam_width", 4)
        with pytest.raises(UnknownModelError, match="beam"):
            recognise(nlp)
    changed = nlp.get_pipe("tok2vec").model.layers[1].layers[0].layers[2].layers[0].layers[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(changed.attrs, "window_size", 2)
        with pytest.raises(UnknownModelError, match="windows"):
            recognise(nlp)


def test_chunk_parser__goes_on_with_a_model_it_does_not_know(
    texts: list[str], chunk_parser: ChunkParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UnknownModelError("its beam: 4 instead of 1")

    monkeypatch.setattr("labelgen.parsing.fastparse.parser.FastParser", refuse)
    if "torch" not in sys.modules:
        monkeypatch.setitem(sys.modules, "torch", None)
    slow = ChunkParser(language_data.spacy_model())
    assert (slow.slow, chunk_parser.slow) == ("its beam: 4 instead of 1", None)
    assert slow.parse(texts[:50]) == chunk_parser.parse(texts[:50])
    of_tags = ChunkParser(language_data.spacy_model(), TAGS).parse(["a man's red hat"])[0]
    assert [of_tags.words[start:end][-1].text for start, end in of_tags.chunks] == ["hat"]


@pytest.mark.parametrize(
    "text",
    [
        "[a/DT large/JJ polar/JJ bear/NN] on/IN [the/DT ice/NN]",
        "[two/CD men/NNS] give/VBP [the/DT dog/NN] [a/DT bone/NN]",
        "[the/DT man/NN 's/POS red/JJ hat/NN] is/VBZ big/JJ",
        "[a/DT t/NN~ -/HYPH~ shirt/NN]",
        "he/PRP runs/VBZ",
        "red/JJ and/CC [blue/JJ cups/NNS] full/JJ",
    ],
)
def test_of_words__chunks_as_a_reader_would_cut_them(text: str) -> None:
    parse = tagged(text)
    assert tuple(of_words(parse.words)) == parse.chunks
