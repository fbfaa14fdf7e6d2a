"""The fast parser against spaCy's own pipeline, on real captions and on text that is no caption."""

import json
import random
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from labelgen import language_data
from labelgen.parsing.fastparse.parser import FastParser
from labelgen.parsing.nouns import ChunkParser
from labelgen.parsing.parse import Parse, Word
from tests.labelgen.tagged import parses_of

_CAPTIONS = 1_500
_TRAPS = [
    "o'clock at 5 o' clock , it 's 10 a.m. or 10 a .m.",
    ": ) says a man :) to a dog :-) and : - )",
    "the U.S. army 's tank - U. S. flag , i 'm in the U.K.",
    "What did the person who is there do ? I do . He has , they have and so do we",
    "there is is was were had 'd 're",
    "buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo",
    "To whom did he say that what she had seen was a dog that the man who left had ?",
    "It is this picture that I think she said you would have liked him to take .",
    "a",
    "!",
    "t-shirt,jeans/shoes(blue)+hat #dog @home https://a.b/c?d=e 3x4cm $5.00",
    "日本 犬 naïve café — “quoted” … 🐶🐶 e\u0301",
    "x" * 300,
    " ".join(["a dog and"] * 120),
]


@pytest.fixture(scope="module")
def spacy_alone() -> Any:  # noqa: ANN401  (spaCy is untyped)
    """The model as it comes."""
    with pytest.MonkeyPatch.context() as patch:
        if "torch" not in sys.modules:
            patch.setitem(sys.modules, "torch", None)
        import spacy

        return spacy.load(language_data.spacy_model())


@pytest.fixture(scope="module")
def fast_parser(spacy_alone: Any) -> Iterator[FastParser]:  # noqa: ANN401
    import spacy

    nlp = spacy.load(language_data.spacy_model(), exclude=["ner", "lemmatizer"])
    with nlp.memory_zone():
        yield FastParser(nlp, with_arcs=True)


def _of_spacy(doc: Any) -> Parse:  # noqa: ANN401
    words = tuple(Word(token.text, token.tag_, bool(token.whitespace_)) for token in doc)
    return Parse(words, tuple((chunk.start, chunk.end) for chunk in doc.noun_chunks))


def _captions(data: Path, name: str) -> list[str]:
    if name == "cc3m":
        lines = (data / "cc3m-val.tsv").read_text().splitlines()
        return [line.partition("\t")[0] for line in lines[:_CAPTIONS]]
    if name == "coco":
        annotations = json.loads((data / "coco-captions-val2017.json").read_text())["annotations"]
        return [annotation["caption"].strip() for annotation in annotations[:_CAPTIONS]]
    with tarfile.open(data / "flickr8k" / "val" / "00000.tar") as tar:
        files = (tar.extractfile(member) for member in tar if member.name.endswith(".json"))
        texts = (text for file in files if file is not None for text in json.load(file)["captions"])
        return list(islice(texts, _CAPTIONS))


@pytest.mark.parametrize("corpus", ["cc3m", "coco", "flickr8k"])
def test_parse__is_spacys_on_real_captions(
    test_data: Path,
    spacy_alone: Any,  # noqa: ANN401
    fast_parser: FastParser,
    corpus: str,
) -> None:
    texts = [" ".join(text.split()) for text in _captions(test_data, corpus)]
    assert len(texts) > 1_000
    assert parses_of(fast_parser, texts) == [_of_spacy(doc) for doc in spacy_alone.pipe(texts)]


@pytest.mark.parametrize("text", _TRAPS)
def test_parse__is_spacys_on_odd_text(
    spacy_alone: Any,  # noqa: ANN401
    fast_parser: FastParser,
    text: str,
) -> None:
    assert parses_of(fast_parser, [text]) == [_of_spacy(spacy_alone(text))]


def test_parse__is_spacys_on_shuffled_words(
    test_data: Path,
    spacy_alone: Any,  # noqa: ANN401
    fast_parser: FastParser,
) -> None:
    """Word salad leads the parser where captions never lead it: words go back to the buffer, arcs are moved."""
    draw = random.Random(0)
    words = " ".join(_captions(test_data, "cc3m")).split()
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 40))) for _ in range(400)]
    assert parses_of(fast_parser, texts) == [_of_spacy(doc) for doc in spacy_alone.pipe(texts)]


@pytest.mark.parametrize("text", ["", "a  dog", " a dog", "a dog ", "a\ndog", "a\u00a0dog", "\t"])
def test_chunk_parser__leaves_strange_white_space_to_spacy(
    spacy_alone: Any,  # noqa: ANN401
    chunk_parser: ChunkParser,
    text: str,
) -> None:
    assert chunk_parser.parse(["a cat", text, "a cow"]) == [_of_spacy(spacy_alone(t)) for t in ("a cat", text, "a cow")]
