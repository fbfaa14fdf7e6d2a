"""NLTK's own reader over the same WordNet: what our readings of it are compared with."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nltk.data
import nltk.tokenize
import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from labelgen import wordnet
from labelgen.lexicon import Lexicon
from labelgen.wordnet import Folder


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
