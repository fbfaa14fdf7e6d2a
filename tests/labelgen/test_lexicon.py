"""The lexicon against NLTK's own reader over the same files, and what `verify` refuses."""

import re
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import nltk.data
import pytest
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from labelgen import language_data, lexicon
from labelgen.lexicon import NOUN, Lexicon, Synset
from labelshards.errors import CatlipError

FILES = ("data.noun", "index.noun", "noun.exc", "lexnames")
PARTS = ("noun", "verb", "adj", "adv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WordNet's files in an nltk_data layout, with as much of the other parts of speech as NLTK's reader asks for."""
    source = language_data.find_wordnet()
    target = tmp_path_factory.mktemp("nltk_data") / "corpora" / "wordnet"
    target.mkdir(parents=True)
    for name in FILES:
        (target / name).write_bytes((source / name).read_bytes())
    (target / "index.sense").touch()  # NLTK maps versions with it; here is only one
    for part in PARTS[1:]:
        for name in (f"data.{part}", f"index.{part}", f"{part}.exc"):
            (target / name).write_bytes(b"  1 WordNet 3.0 Copyright 2006\n")
    return target


@pytest.fixture(scope="module")
def reader(folder: Path) -> Any:  # noqa: ANN401  (NLTK is untyped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [str(folder.parent.parent)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that there are no other languages here
            found = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)
        yield found


def test_read_synsets__all_are_nltks(reader: Any, synsets: dict[int, Synset]) -> None:  # noqa: ANN401
    assert len(synsets) == 82_115
    different = []
    num_seen = 0
    for theirs in reader.all_synsets("n"):
        ours = synsets[NOUN + theirs.offset()]
        num_seen += 1
        lemmas = tuple(lemma.name().replace("_", " ") for lemma in theirs.lemmas())
        hypernyms = [NOUN + offset for symbol in ("@", "@i") for _, offset in theirs._pointers[symbol]]
        same = (
            (ours.name, ours.lemmas, ours.lexname) == (theirs.name(), lemmas, theirs.lexname())
            and re.sub(r'".*?"', "", ours.gloss).strip().strip("; ") == theirs.definition()
            and sorted(ours.hypernyms) == sorted(hypernyms)
            and ours.wnid == f"n{theirs.offset():08d}"
        )
        if not same:
            different.append(ours.name)
    assert different == []
    assert num_seen == len(synsets)


def test_senses__order_is_nltks(reader: Any, lexicon: Lexicon) -> None:  # noqa: ANN401
    lemmas = list(reader.all_lemma_names("n"))
    assert len(lemmas) == 117_798
    wrong = [
        lemma
        for lemma in lemmas
        if lexicon.senses(lemma.replace("_", " "))
        != tuple(NOUN + offset for offset in reader._lemma_pos_offset_map[lemma]["n"])
    ]
    assert wrong == []


def test_singulars__are_nltks(reader: Any, lexicon: Lexicon) -> None:  # noqa: ANN401
    lemmas = sorted(reader.all_lemma_names("n"))[::7]
    endings = ("", "s", "es", "ses", "ves", "xes", "men", "ies", "ches")
    irregular = sorted(reader._exception_map["n"])
    surfaces = [*irregular, *(lemma + ending for lemma in lemmas for ending in endings)]
    different = {}
    for surface in surfaces:
        ours = lexicon.singulars(surface.replace("_", " "))
        theirs = [form.replace("_", " ") for form in reader._morphy(surface, "n") if form != surface]
        if ours != theirs:
            different[surface] = (ours, theirs)
    assert different == {
        # Hyphenated lemmas are found with a space, too.
        "bains_marie": (["bain marie"], []),
        "courts_martial": (["court martial"], []),
        "felones_de_se": (["felo de se"], []),
        "felos_de_se": (["felo de se"], []),
        # Two lines of the exception list; NLTK keeps the last.
        "involucra": (["involucre"], []),
        # An ending alone is no word.
        "ies": (["ie"], ["ie", "y"]),
        "zes": ([], ["z"]),
    }


@pytest.mark.parametrize(
    ("surface", "plural", "term"),
    [
        ("dog", False, "dog"),
        ("dogs", True, "dog"),
        ("dogs", False, "dog"),
        ("men", True, "man"),
        ("bus", False, "bus"),
        ("buses", True, "bus"),
        ("boss", False, "boss"),
        ("geese", True, "goose"),
        ("scissors", True, "scissors"),
        ("clothes", True, "clothes"),
        ("polar bears", True, "polar bear"),
        ("t-shirt", False, "t-shirt"),
        ("t shirt", False, "t shirt"),
        ("ice-cream", False, "ice cream"),
        ("glass-house", False, None),
        ("s", True, "s"),
        ("", False, None),
        ("xyzzy", True, None),
    ],
)
def test_find__cases(lexicon: Lexicon, surface: str, plural: bool, term: str | None) -> None:
    found = lexicon.find(surface, plural)
    assert (found and found[0]) == term


def test_find__synonyms_meet(lexicon: Lexicon, synsets: dict[int, Synset]) -> None:
    names = {term: synsets[lexicon.senses(term)[0]].name for term in ("sofa", "couch", "airplane", "plane", "t shirt")}
    assert names["sofa"] == names["couch"] == "sofa.n.01"
    assert names["airplane"] == names["plane"] == "airplane.n.01"
    assert lexicon.senses("t shirt") == lexicon.senses("t-shirt")


def test_synset__dog(synsets: dict[int, Synset]) -> None:
    dog = synsets[NOUN + 2084071]
    assert (dog.name, dog.wnid, dog.lexname) == ("dog.n.01", "n02084071", "noun.animal")
    assert dog.lemmas == ("dog", "domestic dog", "Canis familiaris")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "wordnet"
    shutil.copytree(folder, target)
    return target


def test_verify__zipped(copy: Path, tmp_path: Path, synsets: dict[int, Synset]) -> None:
    with zipfile.ZipFile(tmp_path / "wordnet.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.write(copy / name, f"wordnet/{name}")
    packed = zipfile.Path(str(tmp_path / "wordnet.zip"), "wordnet/")
    assert lexicon.verify(packed) == synsets
    assert Lexicon.load(packed).senses("dog")[0] == NOUN + 2084071


@pytest.mark.parametrize("name", FILES)
def test_verify__missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CatlipError, match=r"does not hold readable WordNet files .*Run `catlip labels setup`"):
        lexicon.verify(copy)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("data.noun", b"WordNet 3.0 Copyright", b"WordNet 3.1 Copyright", "is not WordNet 3.0"),
        ("data.noun", b"domestic_dog", b"domestic_cat", "its nouns differ from Princeton's"),
        ("index.noun", b"\ndog n 7 ", b"\ndogg n 7 ", "differ from Princeton's|not hold readable WordNet"),
        ("noun.exc", b"geese goose", b"geese gander", "its nouns differ from Princeton's"),
        ("lexnames", b"noun.animal", b"noun.beast", "its nouns differ from Princeton's"),
        ("data.noun", b"domestic_dog", b"domestic_d\xff", "does not hold readable WordNet files"),
    ],
)
def test_verify__altered_file(copy: Path, name: str, old: bytes, new: bytes, reason: str) -> None:
    content = (copy / name).read_bytes()
    assert old in content
    (copy / name).write_bytes(content.replace(old, new, 1))
    with pytest.raises(CatlipError, match=reason) as error:
        lexicon.verify(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"not WordNet at all\n", b"\x00" * 5000, b"00001740 03 n WordNet 3.0 Copyright\n"]
)
def test_verify__no_wordnet(copy: Path, content: bytes) -> None:
    for name in FILES:
        (copy / name).write_bytes(content)
    with pytest.raises(CatlipError, match=r"is not WordNet 3\.0|does not hold readable WordNet files"):
        lexicon.verify(copy)


def test_find_wordnet__order(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    with pytest.raises(CatlipError, match=r"was found neither in .*cache.* nor in NLTK's data folders\. Run: catlip"):
        language_data.find_wordnet()
    (tmp_path / "nltk_data" / "corpora").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "nltk_data" / "corpora" / "wordnet.zip", "w") as archive:
        archive.writestr("wordnet/", "")
        for name in FILES:
            archive.write(copy / name, f"wordnet/{name}")
    found = language_data.find_wordnet()
    assert isinstance(found, zipfile.Path)
    assert len(Lexicon.load(found).senses("dog")) == 7
    shutil.copytree(copy, tmp_path / "nltk_data" / "corpora" / "wordnet")
    assert language_data.find_wordnet() == tmp_path / "nltk_data" / "corpora" / "wordnet"
    shutil.copytree(copy, tmp_path / "cache" / "wordnet-3.0")
    assert language_data.find_wordnet() == tmp_path / "cache" / "wordnet-3.0"


def test_find_wordnet__broken_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    (tmp_path / "nltk_data" / "corpora").mkdir(parents=True)
    (tmp_path / "nltk_data" / "corpora" / "wordnet.zip").write_bytes(b"no zip at all")
    with pytest.raises(CatlipError, match="was found neither"):
        language_data.find_wordnet()
