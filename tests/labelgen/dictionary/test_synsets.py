"""WordNet kept as arrays: the same as parsed, made again when something changes, and no worse where nothing is kept."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary import wordnet
from labelgen.dictionary.compiled import key_of
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import RELATIONS, Synsets
from labelgen.dictionary.wordnet import Folder, Sense, Synset
from labelgen.options import load_language
from labelshards.errors import CatlipError

NUMBERS = st.integers(100_000_000, 399_999_999)
TARGETS = st.lists(NUMBERS, max_size=3).map(tuple)
WORDS = st.text(max_size=8)
SYNSETS = st.lists(
    st.builds(
        Synset, NUMBERS, WORDS, st.lists(WORDS, max_size=3).map(tuple), WORDS, st.sampled_from(["noun.a", "verb.b"]),
        TARGETS, st.booleans(), TARGETS, TARGETS, TARGETS,
    ),
    unique_by=lambda synset: synset.id,
    max_size=6,
)  # fmt: skip


def tables(lexicon: Lexicon) -> dict[str, object]:
    return {name: value for name, value in vars(lexicon).items() if name not in ("find", "base")}


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Folder]:
    """Whenever the index of senses is read, its folder."""
    found: list[Folder] = []
    read = wordnet.read_senses

    def reading(folder: Folder) -> Iterator[Sense]:
        found.append(folder)
        return read(folder)

    monkeypatch.setattr(wordnet, "read_senses", reading)
    return found


@pytest.fixture
def copy(wordnet_folder: Folder, tmp_path: Path) -> Path:
    folder = tmp_path / "wordnet"
    shutil.copytree(str(wordnet_folder), folder)
    return folder


@given(synsets=SYNSETS)
def test_synsets__are_those_given(synsets: list[Synset]) -> None:
    found = Synsets.of(synsets)
    assert found == {synset.id: synset for synset in synsets}
    assert list(found) == found.ids.tolist() == sorted(found)
    assert [found[number].name for number in found] == found.names
    for place, number in enumerate(found):
        assert found.lexname(number) == found[number].lexname
        for relation in RELATIONS:
            assert tuple(found.related(relation).row(place).tolist()) == getattr(found[number], relation)
    assert 7 not in found
    with pytest.raises(KeyError):
        found[7]


@given(synsets=SYNSETS.filter(bool), text=WORDS)
def test_digest__of_words_and_glosses(synsets: list[Synset], text: str) -> None:
    digest = Synsets.of(synsets).digest()
    assert Synsets.of(reversed(synsets)).digest() == digest
    changed = synsets[0]._replace(gloss=text)
    assert (Synsets.of([changed, *synsets[1:]]).digest() == digest) == (text == synsets[0].gloss)
    assert Synsets.of([synsets[0]._replace(lemmas=(*synsets[0].lemmas, text)), *synsets[1:]]).digest() != digest


@pytest.mark.slow
def test_load_language__reads_once_and_never_again(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readings: list[Folder]
) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    parsed: list[dict[int, Synset]] = []
    verify = wordnet.verify

    def verifying(*arguments: Any) -> dict[int, Synset]:  # noqa: ANN401
        parsed.append(verify(*arguments))
        return parsed[-1]

    monkeypatch.setattr(wordnet, "verify", verifying)
    made = load_language("noun-chunks", None, None, copy)
    assert readings == [copy]
    assert {file.name.partition("-")[0] for file in (tmp_path / "cache" / "compiled").iterdir()} == {
        "lexicon",
        "synsets",
    }
    kept = load_language("noun-chunks", None, None, copy)
    assert readings == [copy]
    assert [kept.synsets] == parsed
    assert tables(kept.lexicon) == tables(made.lexicon)
    assert kept.pins == made.pins


@pytest.mark.slow
def test_load__what_was_good_is_checked_again_when_it_changes(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "cache"))
    Synsets.load(copy)
    (copy / "data.verb").write_bytes((copy / "data.verb").read_bytes().replace(b"breathe", b"breathy", 1))
    with pytest.raises(CatlipError):
        Synsets.load(copy)


def test_load__missing_file_is_told(copy: Path) -> None:
    (copy / "lexnames").unlink()
    with pytest.raises(CatlipError, match="does not hold readable WordNet files"):
        Synsets.load(copy)


def test_key_of__files_and_code(copy: Path, tmp_path: Path) -> None:
    key = key_of(copy, "labelgen.dictionary.wordnet")
    assert key_of(copy, "labelgen.dictionary.wordnet") == key
    others = {
        key,
        key_of(copy, "labelgen.dictionary.wordnet", "labelgen.dictionary.lexicon"),
        key_of(copy, "labelgen.dictionary.wordnet", also="x"),
    }
    with (copy / "data.adj").open("ab") as file:
        file.write(b"\n")
    others.add(key_of(copy, "labelgen.dictionary.wordnet"))
    archive = tmp_path / "wordnet.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("wordnet/", "")
    others.add(key_of(zipfile.Path(str(archive), "wordnet/"), "labelgen.dictionary.wordnet"))
    assert len(others) == 5
    assert None not in others
    (copy / "data.adj").unlink()
    assert key_of(copy, "labelgen.dictionary.wordnet") is None


def test_lemmas_and_gloss__are_those_of_the_synset(synsets: Synsets) -> None:
    for number in list(synsets)[::499]:
        synset = synsets[number]
        assert tuple(synsets.lemmas(number)) == synset.lemmas
        assert (synsets.gloss(number), synsets.lexname(number)) == (synset.gloss, synset.lexname)
