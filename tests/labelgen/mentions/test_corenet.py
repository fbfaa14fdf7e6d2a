"""The published rule against an independent reading of it, written with NLTK's own functions over the same WordNet."""

import importlib.util
import json
import re
import tarfile
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ftfy
import nltk.corpus
import nltk.data
import nltk.tokenize
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem import WordNetLemmatizer
from nltk.tokenize import NLTKWordTokenizer, word_tokenize
from nltk.tokenize.punkt import PunktTrainer, save_punkt_params

from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Folder, Pos, lines
from labelgen.mentions.corenet import CoreNet, Reading, find_tokenizer

Tokenize = Callable[[str], list[str]]
Published = Callable[[str], list[str]]

PIECES = st.sampled_from((
    "dog", "Dogs", "boss", "men", "was", "us", "photo", "new_york", "geese", "t-shirt", "womens", "glasses",
    "ies", "dog's", "can", "cannot", "gimme", "gonna", "wanna", "lemme", "gotta", "more'n", "d'ye", "'tis",
    "can't", "u.s.", "e.g.", "dog.", ".", "..", "...", ",", "1,000", "2", ":", ";", "!", "?", "--", "-",
    "—", "_", "'", "''", '"', "`", "``", "\u2019", "“", "”", "«", "(", ")", "[", "]", "<", ">", "<b>",
    "</b>", "<a\nb>", "&", "*", "&amp;", "&lt;", "%20", "%41", "%E9", "%", "+", "Ã©", "é", "e\u0301", "ﬁ",
    "İ", "ß", "Σ", "\u017f", "\u212a", "🐕", "狗", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000",
    "\u2028", "\x00", "\x1b[0m", "\ud800", "\u200b", "\u00ad",
))  # fmt: skip
CAPTIONS = st.one_of(
    st.text(),
    st.text(st.characters(codec=None), max_size=50),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=12).map(" ".join),
)


@pytest.fixture(scope="module")
def published(nltk_data: Path, nltk_wordnet: Any) -> Iterator[Callable[[Tokenize], Published]]:  # noqa: ANN401  (NLTK is untyped)
    """`published(tokenize)` is the published function over a tokenizer, the vocabulary being all of WordNet."""
    lemmatizer = WordNetLemmatizer()

    def over(tokenize: Tokenize) -> Published:
        def label(caption: str) -> list[str]:
            caption = urllib.parse.unquote(caption)
            caption = caption.replace("+", " ")
            caption = re.sub("<.*?>", "", caption)
            caption = caption.strip("\n")
            caption = re.sub(" +", " ", caption)
            caption = ftfy.fix_text(caption).strip().lower()
            labels = []
            for token in tokenize(caption):
                word = lemmatizer.lemmatize(token, "n")
                try:
                    synset = nltk_wordnet.synset(f"{word}.n.01")
                except Exception:
                    continue
                if synset.name() == f"{word}.n.01":
                    labels.append(word.replace("_", " "))
            return labels

        return label

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.corpus, "wordnet", nltk_wordnet)  # where the lemmatizer looks for it
        yield over


@pytest.fixture(scope="module")
def treebank(published: Callable[[Tokenize], Published]) -> Published:
    return published(NLTKWordTokenizer().tokenize)


@pytest.fixture(scope="module")
def corenet(nltk_data: Path, wordnet_folder: Folder) -> CoreNet:
    return CoreNet(wordnet_folder)


@pytest.fixture(scope="module")
def captions(test_data: Path) -> list[str]:
    """Some 4,000 captions out of three corpora, as they were written."""
    found = [line.split("\t")[0] for line in (test_data / "cc3m-val.tsv").read_text().splitlines()[::10]]
    coco = json.loads((test_data / "coco-captions-val2017.json").read_text())
    found += [annotation["caption"] for annotation in coco["annotations"][::20]]
    with tarfile.open(test_data / "flickr8k" / "test" / "00000.tar") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".json") else None
            if content is not None:
                found += json.loads(content.read())["captions"][:2]
    return found


def labels_of(corenet: CoreNet, caption: str) -> list[str]:
    return [reading.lemma.replace("_", " ") for reading in corenet.readings(caption) if reading.is_label]


def different(corenet: CoreNet, published: Published, captions: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    pairs = {caption[:200]: (labels_of(corenet, caption), published(caption)) for caption in captions}
    return {caption: (ours, theirs) for caption, (ours, theirs) in pairs.items() if ours != theirs}


def test_words__are_the_published_codes(corenet: CoreNet, treebank: Published, captions: list[str]) -> None:
    assert len(captions) > 3_000
    assert different(corenet, treebank, captions) == {}


@given(caption=CAPTIONS)
def test_words__are_the_published_codes_for_any_text(corenet: CoreNet, treebank: Published, caption: str) -> None:
    assert labels_of(corenet, caption) == treebank(caption)


def test_words__are_the_published_codes_for_all_forms(
    corenet: CoreNet, treebank: Published, wordnet_folder: Folder
) -> None:
    lemmas = [line.split(" ")[0] for line in lines(wordnet_folder, "index.noun")]
    irregular = [line.split(" ")[0] for line in lines(wordnet_folder, "noun.exc")]
    endings = ("s", "es", "ses", "ves", "xes", "zes", "ches", "shes", "men", "ies")
    tokens = [*lemmas[::5], *irregular, *(lemma + ending for lemma in lemmas[::100] for ending in endings), *endings]
    captions = [" ".join(tokens[start : start + 100]) for start in range(0, len(tokens), 100)]
    assert len(tokens) > 30_000
    assert different(corenet, treebank, captions) == {}


@pytest.mark.parametrize(
    "caption",
    [
        "",
        " \n",
        "dog " * 25_000,
        "<" * 10_000,  # the published pattern is quadratic, and needs a minute for ten times as many
        "a." + "\t" * 100_000 + "dog",
        "%41" * 33_000,
        "Ã©" * 50_000,
        "A <b>dog</b> &amp; 2 cats+birds%20%F0%9F%90%95 caf\u00c3\u00a9 👩\u200d🚒\n",
    ],
    ids=lambda caption: repr(caption[:9]),
)
def test_words__are_the_published_codes_for_nasty_text(corenet: CoreNet, treebank: Published, caption: str) -> None:
    assert labels_of(corenet, caption) == treebank(caption)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Two dogs and a dog.", ["two", "dog", "dog"]),
        ("the boss and her bosses", ["bos"]),
        ("this was for us", []),
        ("a photo of a bike, a plane, a phone, a couch, a tv, a kid, a boy and a taxi", []),
        ("where cars are, and can be", ["car", "are", "can"]),
        ("watch three run, play, cry, crying", ["watch", "three", "run", "play", "cry", "cry"]),
        ("a polar bear", ["bear"]),
        ("in New_York", ["new york"]),
        ("geese, oxen, involucra", ["goose", "ox"]),
        ("womens glassses", []),
        ("a dog. a cat.", ["cat"]),
        ("dog%20park+with <b>trees</b>", ["dog", "park", "tree"]),
        ("dog<br>park", []),
        ("\ndog\npark\n", ["dog", "park"]),
        ("caf\u00c3\u00a9 table", ["table"]),
        ("🐕", []),
        ("", []),
        ("<" * 100_000, []),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_words__cases(corenet: CoreNet, caption: str, words: list[str]) -> None:
    assert labels_of(corenet, caption) == words


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("A%20dog%2C+two", "a dog, two"),
        ("1 %2B 1", "1 1"),
        ("a <b>red</b> <unclosed dog", "a red <unclosed dog"),
        ("<<b>dog", "dog"),
        ("<b\n>dog <i>", "<b\n>dog"),
        ("\n\n a  dog \n on  grass\n", "a dog \n on grass"),
        ("Tom &amp; Jerry\u2019s caf\u00c3\u00a9", "tom & jerry's café"),
        ("", ""),
    ],
)
def test_clean__cases(corenet: CoreNet, raw: str, clean: str) -> None:
    assert corenet.clean(raw) == clean


def test_words__are_what_a_first_sense_is_named_after(corenet: CoreNet, synsets: Synsets, captions: list[str]) -> None:
    words = {word for caption in captions for word in labels_of(corenet, caption)}
    assert len(words) > 1_000
    assert {f"{word.replace(' ', '_')}.n.01" for word in words} <= set(synsets.names)


def test_readings__say_why(corenet: CoreNet) -> None:
    readings = corenet.readings("Dogs of the kids was on a plane")
    assert readings[0] == Reading("dogs", "dog", "dog.n.01")
    assert {reading.token: reading.outcome for reading in readings} == {
        "dogs": "labelled",
        "of": "not a noun in WordNet",
        "the": "not a noun in WordNet",
        "kids": "its first sense is child.n.01, named after another word",
        "was": "its first sense is washington.n.02, named after another word",
        "on": "not a noun in WordNet",
        "a": "its first sense is angstrom.n.01, named after another word",
        "plane": "its first sense is airplane.n.01, named after another word",
    }


def test_words__reach(corenet: CoreNet, synsets: Synsets) -> None:
    """How many of WordNet's nouns and of ImageNet-1k's classes any caption can reach."""
    firsts = (synset.name.removesuffix(".n.01") for synset in synsets.values() if synset.name.endswith(".n.01"))
    own = {word for word in firsts if "_" not in word}
    assert (len(own), sum(synset.pos is Pos.NOUN for synset in synsets.values())) == (38_343, 82_115)
    reached = set(labels_of(corenet, " ".join(form for lemma in own for form in (lemma, lemma + "s", lemma + "es"))))
    # The first and the last are torn apart by the tokenizer; the exception list makes "cry" of "crying".
    assert own - reached == {"'hood", "crying", "shoot-'em-up"}

    timm = importlib.util.find_spec("timm")
    assert timm is not None
    assert timm.origin is not None
    wnids = (Path(timm.origin).parent / "data" / "_info" / "imagenet_synsets.txt").read_text().split()
    assert len(wnids) == 1_000
    named = {synset.name: synset.wnid for synset in synsets.values()}
    assert len({named[f"{word}.n.01"] for word in reached & own} & set(wnids)) == 395


def assert_tokens_are_nltks(corenet: CoreNet, caption: str) -> None:
    tokens = [reading.token for reading in corenet.readings(caption)]
    assert tokens == NLTKWordTokenizer().tokenize(corenet.clean(caption))


@given(caption=CAPTIONS)
def test_readings__tokens_are_nltks_for_any_text(corenet: CoreNet, caption: str) -> None:
    assert_tokens_are_nltks(corenet, caption)


@pytest.mark.parametrize(
    "word", ["cannot", "gimme", "gonna", "gotta", "lemme", "wanna", "whaddya", "dog-gone", "dog--cat", "1", "u.s."]
)
@pytest.mark.parametrize("caption", ["{}", "{}.", "we {} go .", "to {}", "x{} {}x 1{}"])
def test_readings__tokens_are_nltks(corenet: CoreNet, caption: str, word: str) -> None:
    assert_tokens_are_nltks(corenet, caption.replace("{}", word))


def test_tokenizer__treebank_without_punkt(nltk_data: Path) -> None:
    with pytest.raises(LookupError, match="punkt"):
        word_tokenize("a dog. a cat.")
    assert find_tokenizer()[0] == "treebank"


@pytest.fixture
def punkt(nltk_data: Path, captions: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """NLTK's punkt data, where it would be installed: a model trained on the captions here, for lack of NLTK's own."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    trainer = PunktTrainer("\n".join(captions))
    folder = tmp_path / "tokenizers" / "punkt_tab" / "english"
    folder.parent.mkdir(parents=True)
    save_punkt_params(trainer.get_params(), str(folder))
    yield folder
    nltk.tokenize._get_punkt_tokenizer.cache_clear()


def test_tokenizer__punkt_where_it_is_installed(
    punkt: Path, wordnet_folder: Folder, published: Callable[[Tokenize], Published], captions: list[str]
) -> None:
    corenet = CoreNet(wordnet_folder)
    assert find_tokenizer()[0] == "punkt"
    assert labels_of(corenet, "a dog. a cat.") == ["dog", "cat"]
    assert different(corenet, published(word_tokenize), captions[::2]) == {}


def test_tokenizer__broken_punkt_is_none(nltk_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    (tmp_path / "tokenizers").mkdir()
    (tmp_path / "tokenizers" / "punkt_tab.zip").write_bytes(b"no zip at all")
    with pytest.raises(zipfile.BadZipFile):
        word_tokenize("")
    assert find_tokenizer()[0] == "treebank"
