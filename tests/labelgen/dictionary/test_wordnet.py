"""WordNet's files against NLTK's own reader over the same files, and what `verify` refuses."""

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nltk.data
import pytest

from labelgen import language_data
from labelgen.dictionary import wordnet
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos, Synset, id_of, read_senses, synset_id, wnid_of
from labelshards.errors import CatlipError

_PARTS = ("part_meronyms", "part_holonyms", "member_meronyms", "member_holonyms", "substance_meronyms",
          "substance_holonyms")  # fmt: skip


def pairs(reader: Any, synsets: Synsets, pos: Pos, step: int = 1) -> Iterator[tuple[Synset, Any]]:  # noqa: ANN401  (NLTK is untyped)
    """Every `step`-th of our synsets of a part of speech, and what NLTK reads at its offset."""
    for ours in [synset for synset in synsets.values() if synset.pos is pos][::step]:
        yield ours, reader.synset_from_pos_and_offset(pos.letter, int(ours.wnid[1:]))


def ids(found: Any) -> set[int]:  # noqa: ANN401
    """Our numbers of NLTK's synsets, adverbs left out."""
    letters = {"n": Pos.NOUN, "v": Pos.VERB, "a": Pos.ADJECTIVE, "s": Pos.ADJECTIVE}
    return {synset_id(letters[each.pos()], each.offset()) for each in found if each.pos() in letters}


def name(full: str) -> str:
    """A synset's name; of a satellite, without its number: some versions of NLTK count satellites by themselves."""
    return full.rpartition(".")[0] if ".s." in full else full


@pytest.mark.parametrize(
    ("pos", "count", "step"),
    [
        (Pos.NOUN, 82_115, 10),
        pytest.param(Pos.NOUN, 82_115, 1, marks=pytest.mark.slow),
        (Pos.VERB, 13_767, 3),
        (Pos.ADJECTIVE, 18_156, 3),
    ],
)
def test_read_synsets__are_nltks(
    nltk_wordnet: Any,  # noqa: ANN401
    synsets: Synsets,
    pos: Pos,
    count: int,
    step: int,
) -> None:
    different = []
    for ours, theirs in pairs(nltk_wordnet, synsets, pos, step):
        hypernyms = theirs.hypernyms() + theirs.instance_hypernyms()
        same = (
            (name(ours.name), ours.lexname, ours.pos) == (name(theirs.name()), theirs.lexname(), pos)
            and ours.lemmas == tuple(lemma.replace("_", " ") for lemma in theirs.lemma_names())
            and re.sub(r'".*?"', "", ours.gloss).strip().strip("; ") == theirs.definition().strip("; ")
            and (set(ours.hypernyms), len(ours.hypernyms)) == (ids(hypernyms), len(hypernyms))
            and ours.is_instance == bool(theirs.instance_hypernyms())
            and ours.wnid == f"{pos.letter}{theirs.offset():08d}"
        )
        if not same:
            different.append(ours.name)
    assert different == []
    assert sum(synset.pos is pos for synset in synsets.values()) == count


def test_read_synsets__other_relatives_are_nltks(nltk_wordnet: Any, synsets: Synsets) -> None:  # noqa: ANN401
    different = []
    for pos in Pos:
        for ours, theirs in pairs(nltk_wordnet, synsets, pos, 20):
            parts = ids(other for kind in _PARTS for other in getattr(theirs, kind)())
            derived = ids(other.synset() for lemma in theirs.lemmas() for other in lemma.derivationally_related_forms())
            # NLTK names a field once for each of its words.
            topics = ids(theirs.topic_domains()) | ids(
                other.synset() for lemma in theirs.lemmas() for other in lemma.topic_domains()
            )
            if (set(ours.parts), set(ours.derived), set(ours.topics)) != (parts, derived, topics):
                different.append(ours.name)
    assert different == []


@pytest.mark.parametrize(("pos", "count"), [(Pos.NOUN, 117_798), (Pos.VERB, 11_529), (Pos.ADJECTIVE, 21_479)])
def test_read_senses__order_is_nltks(
    nltk_wordnet: Any,  # noqa: ANN401
    lexicon_of_wordnet: Lexicon,
    pos: Pos,
    count: int,
) -> None:
    lemmas = set(nltk_wordnet.all_lemma_names(pos.letter))
    lemmas |= set(nltk_wordnet.all_lemma_names("s")) if pos is Pos.ADJECTIVE else set()
    assert len(lemmas) == count
    wrong = [
        lemma
        for lemma in sorted(lemmas)
        if lexicon_of_wordnet.senses(lemma.replace("_", " "), pos)
        != tuple(synset_id(pos, offset) for offset in nltk_wordnet._lemma_pos_offset_map[lemma][pos.letter])
    ]
    assert wrong == []


def test_read_senses__counts_are_nltks(
    nltk_wordnet: Any,  # noqa: ANN401
    synsets: Synsets,
    wordnet_folder: wordnet.Folder,
) -> None:
    counted = {(sense.pos, sense.term, sense.synset): sense.uses for sense in read_senses(wordnet_folder)}
    different = set()
    num_used = 0
    for pos in Pos:
        for synset, theirs in pairs(nltk_wordnet, synsets, pos, 50):
            for lemma in theirs.lemmas():
                term = lemma.name().replace("_", " ").lower()
                ours = counted[pos, term, synset.id]
                num_used += ours > 0
                if ours != lemma.count():
                    different.add((term, ours))
    # NLTK does not find the counts of adjectives that only stand before a noun: their key carries a mark.
    assert len(different) <= 5
    assert all(ours > 0 for _, ours in different)
    assert num_used > 500


def test_read_senses__lexicographers_files_are_the_synsets(synsets: Synsets, wordnet_folder: wordnet.Folder) -> None:
    names = [line.split("\t")[1] for line in wordnet.lines(wordnet_folder, "lexnames")]
    senses = list(read_senses(wordnet_folder))
    assert {(sense.synset, names[sense.lexfile]) for sense in senses} == {
        (synset.id, synset.lexname) for synset in synsets.values()
    }
    assert {names[number] for number in wordnet.THINGS} == wordnet.THING_NAMES


@pytest.mark.parametrize("pos", Pos)
def test_read_exceptions__are_nltks(nltk_wordnet: Any, wordnet_folder: wordnet.Folder, pos: Pos) -> None:  # noqa: ANN401
    ours = wordnet.read_exceptions(wordnet_folder, pos)
    theirs = {
        form.replace("_", " "): tuple(base.replace("_", " ") for base in bases)
        for form, bases in nltk_wordnet._exception_map[pos.letter].items()
    }
    assert ours.keys() == theirs.keys()
    # Where the list has two lines for a form, NLTK keeps the last.
    different = {form for form in ours if ours[form] != theirs[form]}
    assert all(set(theirs[form]) <= set(ours[form]) for form in different)
    assert len(different) <= 10


def test_synset__dog(synsets: Synsets) -> None:
    dog = synsets[id_of("n02084071")]
    assert (dog.id, dog.name, dog.wnid, dog.lexname) == (102_084_071, "dog.n.01", "n02084071", "noun.animal")
    assert dog.lemmas == ("dog", "domestic dog", "Canis familiaris")
    assert dog.pos is Pos.NOUN


def test_wnid__and_back(synsets: Synsets) -> None:
    assert all(id_of(wnid_of(synset)) == synset for synset in synsets)
    assert len({synset.name for synset in synsets.values()}) == len(synsets)


@pytest.fixture
def copy(nltk_folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "wordnet"
    shutil.copytree(nltk_folder / "corpora" / "wordnet", target)
    return target


def pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("wordnet/", "")
        for name in wordnet.FILES:
            packed.write(folder / name, f"wordnet/{name}")


def test_verify__zipped_with_other_line_ends(copy: Path, tmp_path: Path, synsets: Synsets) -> None:
    for name in wordnet.FILES:
        (copy / name).write_bytes((copy / name).read_bytes().replace(b"\n", b"\r\n"))
    pack(copy, tmp_path / "wordnet.zip")
    packed = zipfile.Path(str(tmp_path / "wordnet.zip"), "wordnet/")
    assert wordnet.verify(packed) == synsets
    assert next(read_senses(packed)) == next(read_senses(copy))


@pytest.mark.parametrize("name", ["index.sense", "data.noun", pytest.param("adj.exc", marks=pytest.mark.slow)])
def test_verify__missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CatlipError, match=r"does not hold readable WordNet files .*Run `catlip labels setup`"):
        wordnet.verify(copy)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("data.noun", b"WordNet 3.0 Copyright", b"WordNet 3.1 Copyright", "is not WordNet 3.0"),
        pytest.param(
            "data.noun",
            b"domestic_dog",
            b"domestic_cat",
            "its synsets differ from Princeton's|not hold readable",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "data.verb",
            b"breathe",
            b"breathy",
            "its synsets differ from Princeton's|not hold readable",
            marks=pytest.mark.slow,
        ),
        ("index.sense", b"\ndog%1:05:00:: 02084071 1 42", b"\ndog%1:05:00:: 02084071 1 43", "differ from Princeton's"),
        pytest.param(
            "noun.exc", b"geese goose", b"geese gander", "its synsets differ from Princeton's", marks=pytest.mark.slow
        ),
        ("data.noun", b"domestic_dog", b"domestic_d\xff", "differ from Princeton's"),
    ],
)
def test_verify__altered_file(copy: Path, name: str, old: bytes, new: bytes, reason: str) -> None:
    content = (copy / name).read_bytes()
    assert old in content
    (copy / name).write_bytes(content.replace(old, new, 1))
    with pytest.raises(CatlipError, match=reason) as error:
        wordnet.verify(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"not WordNet at all\n", b"\x00" * 5000, b"00001740 03 n WordNet 3.0 Copyright\n"]
)
def test_verify__no_wordnet(copy: Path, content: bytes) -> None:
    for name in wordnet.FILES:
        (copy / name).write_bytes(content)
    with pytest.raises(
        CatlipError, match=r"is not WordNet 3\.0|does not hold readable WordNet files|differ from Princeton's"
    ):
        wordnet.verify(copy)


def test_find_wordnet__order(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    with pytest.raises(CatlipError, match=r"was found neither in .*cache.* nor in NLTK's data folders\. Run: catlip"):
        language_data.find_wordnet()
    corpora = tmp_path / "nltk_data" / "corpora"
    corpora.mkdir(parents=True)
    pack(copy, corpora / "wordnet.zip")
    found = language_data.find_wordnet()
    assert isinstance(found, zipfile.Path)
    assert len(list(wordnet.lines(found, "lexnames"))) == 45
    shutil.copytree(copy, corpora / "wordnet")
    assert language_data.find_wordnet() == corpora / "wordnet"
    shutil.copytree(copy, tmp_path / "cache" / "wordnet-3.0")
    assert language_data.find_wordnet() == tmp_path / "cache" / "wordnet-3.0"


@pytest.mark.parametrize("name", wordnet.FILES)
def test_find_wordnet__passes_over_a_cache_that_lacks_a_file(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    copy.rename(tmp_path / "wordnet-3.0")
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(nltk.data, "path", [])
    assert language_data.find_wordnet() == tmp_path / "wordnet-3.0"
    (tmp_path / "wordnet-3.0" / name).unlink()
    with pytest.raises(CatlipError, match="was found neither"):
        language_data.find_wordnet()


def test_find_wordnet__broken_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    (tmp_path / "nltk_data" / "corpora").mkdir(parents=True)
    (tmp_path / "nltk_data" / "corpora" / "wordnet.zip").write_bytes(b"no zip at all")
    with pytest.raises(CatlipError, match="was found neither"):
        language_data.find_wordnet()
