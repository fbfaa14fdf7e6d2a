"""NLTK's own reader over the same WordNet, which our readings are compared with, and captions."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nltk.data
import nltk.tokenize
import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from labelgen.dictionary import wordnet
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Folder


@pytest.fixture(scope="session")
def nltk_folder(wordnet_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as NLTK wants it, with WordNet's files and nothing else. There is no punkt in it."""
    folder = tmp_path_factory.mktemp("nltk_data")
    target = folder / "corpora" / "wordnet"
    target.mkdir(parents=True)
    for name in wordnet.FILES:
        (target / name).write_bytes((wordnet_folder / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def nltk_data(nltk_folder: Path) -> Iterator[Path]:
    """The only folder in which NLTK looks for data while a module of tests runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [str(nltk_folder)])
        nltk.tokenize._get_punkt_tokenizer.cache_clear()
        yield nltk_folder


@pytest.fixture(scope="session")
def nltk_wordnet(nltk_folder: Path) -> Any:  # noqa: ANN401  (NLTK is untyped)
    """NLTK's reader of WordNet, with all files open that it reads on demand."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(nltk.data, "path", [str(nltk_folder)])
        warnings.simplefilter("ignore", UserWarning)  # that there are no other languages here
        # Nor is the index that they need read, which takes longer than all else.
        patch.setattr(WordNetCorpusReader, "map_wn", lambda _: None)
        reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)
        for name in ("dog.n.01", "run.v.01", "red.a.01"):
            reader.synset(name).lemmas()[0].count()
        return reader


@pytest.fixture(scope="session")
def lexicon_of_wordnet(wordnet_folder: Folder) -> Lexicon:
    """The lexicon of WordNet's own terms alone."""
    return Lexicon.load(wordnet_folder)


@pytest.fixture(scope="session")
def captions(test_data: Path) -> list[str]:
    """Clean captions: web alt-texts, those with odd characters first, and some that are hard to read."""
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()
    texts = [line.partition("\t")[0] for line in lines]
    odd = ["A t-shirt and roller-skates.", "Polar Bear On The Ice", "DOG", "- a man-eating 12-year-old lion", "x", "of"]
    odd += [
        "birds of prey and a lily of the valley",
        "Caf\u00e9 cr\u00e8me br\u00fbl\u00e9e",
        "it's 3.5 km; don\u2019t",
        "\u4f60\u597d dog",
    ]
    return odd + sorted(texts, key=str.isascii)[:200] + texts[:1_500]
