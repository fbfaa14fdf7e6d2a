"""What people decide by hand, and the terms that are built in."""

from pathlib import Path

import pytest

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning import wordlists
from labelgen.meaning.senses import Use
from labelgen.meaning.wordlists import BUILT_IN_SENSES, BUILT_IN_TERMS, digest, read_senses, read_terms
from labelshards.errors import CatlipError


@pytest.fixture
def write(tmp_path: Path) -> "Path":
    return tmp_path / "list.tsv"


def test_read_terms__built_in() -> None:
    terms = read_terms(None)
    assert len(terms) > 50
    assert terms["smartphone"] == "cellular_telephone.n.01"


def test_read_terms__add_replace_remove(write: Path) -> None:
    write.write_text(
        "# mine\n\nGood   Boy\tdog.n.01  # a dog\nsmartphone\ttelephone.n.01\nselfie\t-\nnobody knows\t-\n\t\n"
    )
    built_in = read_terms(None)
    changed = read_terms(str(write))
    assert {term for term in changed.keys() | built_in if changed.get(term) != built_in.get(term)} == {
        "good boy",
        "smartphone",
        "selfie",
    }
    assert changed["good boy"] == "dog.n.01"
    assert changed["smartphone"] == "telephone.n.01"
    assert "selfie" not in changed


def test_read_terms__clear(write: Path) -> None:
    write.write_text("gone\tcat.n.01\n*\t-\ngood boy\tdog.n.01\n")
    assert read_terms(str(write)) == {"good boy": "dog.n.01"}


def test_read_terms__windows_line_ends_and_many_tabs(write: Path) -> None:
    write.write_bytes(b"*\t-\r\ngood boy\t\t dog.n.01 \r\n")
    assert read_terms(str(write)) == {"good boy": "dog.n.01"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"dog\n", "line 1: expected two columns with a tab between them, got 'dog'"),
        (b"# x\ndog cat.n.01\n", "line 2: expected two columns"),
        (b"dog\tcat\tmouse\n", "line 1: expected two columns"),
        (b"\t\ndog\t\n", "line 2: expected two columns"),
        (b"good boy\tdog\n", r"line 1: 'dog' is no synset's name\. Write it like dog\.n\.01"),
        (b"dog\t\xff\n", "is not UTF-8"),
    ],
)
def test_read_terms__malformed(write: Path, content: bytes, reason: str) -> None:
    write.write_bytes(content)
    with pytest.raises(CatlipError, match=rf"list\.tsv,? {reason}") as error:
        read_terms(str(write))
    assert "\n" not in str(error.value)


def test_read_terms__missing_file(write: Path) -> None:
    with pytest.raises((CatlipError, OSError), match=r"list\.tsv"):
        read_terms(str(write))


def test_read_senses__pin_and_forbid(write: Path, lexicon: Lexicon, synsets: Synsets) -> None:
    write.write_text("Mouse\tmouse.n.04\ncrane\t!crane.n.01\ncrane\t!crane.n.02  # a person\n*\t!angstrom.n.01\n")
    pins = read_senses(str(write), lexicon, synsets)
    assert {term: synsets[synset].name for term, synset in pins.pinned.items()} == {"mouse": "mouse.n.04"}
    assert {term: {synsets[each].name for each in found} for term, found in pins.forbidden.items()} == {
        "crane": {"crane.n.01", "crane.n.02"},
        "*": {"angstrom.n.01"},
    }
    built_in = read_senses(None, lexicon, synsets)
    assert (built_in.pinned, built_in.forbidden) == ({}, {})
    assert pins.usual == built_in.usual


def test_read_senses__usual_ones_added_replaced_cleared(write: Path, lexicon: Lexicon, synsets: Synsets) -> None:
    def named(tiers: tuple[tuple[Use, ...], ...]) -> list[list[str]]:
        return [[" ".join((synsets[use.synset].name, *use.cues)) for use in tier] for tier in tiers]

    write.write_text("Crane\tcrane.n.05(bird  nest) crane.n.04 > hoist.n.01\n")
    built_in, changed = (read_senses(uri, lexicon, synsets).usual for uri in (None, str(write)))
    assert named(changed["crane"]) == [["crane.n.05 bird nest", "crane.n.04"], ["hoist.n.01"]]
    assert {term for term in changed if changed[term] != built_in.get(term)} == {"crane"}
    write.write_text("*\t-\ncrane\tcrane.n.05 > crane.n.04\n")
    assert {term: named(tiers) for term, tiers in read_senses(str(write), lexicon, synsets).usual.items()} == {
        "crane": [["crane.n.05"], ["crane.n.04"]]
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("dog\n", "line 1: expected two columns"),
        ("dog\tdog\n", r"line 1: WordNet 3\.0 has no synset 'dog'\. 'dog' has: dog\.n\.01, frump\.n\.01"),
        ("dog\t!dog.n.99\n", r"line 1: WordNet 3\.0 has no synset 'dog\.n\.99'\. 'dog' has"),
        ("#\nxyzzy\tplugh.n.01\n", r"line 2: WordNet 3\.0 has no synset 'plugh\.n\.01'\. Write it like dog\.n\.01"),
        ("dog\tdog.n.01 > dog.n.99\n", r"line 1: WordNet 3\.0 has no synset 'dog\.n\.99'\. 'dog' has"),
        ("dog\tdog.n.01 >\n", "line 1: 'dog.n.01 >' is no list of senses"),
        ("dog\t> dog.n.01\n", "line 1: '> dog.n.01' is no list of senses"),
        ("dog\tdog.n.01(bone\n", "line 1: .* is no list of senses"),
        ("*\tdog.n.01\n", "line 1: one synset cannot stand for all terms"),
    ],
)
def test_read_senses__malformed(write: Path, lexicon: Lexicon, synsets: Synsets, content: str, reason: str) -> None:
    write.write_text(content)
    with pytest.raises(CatlipError, match=rf"list\.tsv, {reason}") as error:
        read_senses(str(write), lexicon, synsets)
    assert "\n" not in str(error.value)


def test_digest__of_what_is_said(write: Path) -> None:
    assert digest(None) == ""
    write.write_text("dog\tdog.n.01\n")
    said = digest(str(write))
    write.write_text("# a remark\nDog\t dog.n.01  # another\n\n")
    assert digest(str(write)) == said
    write.write_text("dog\tdog.n.03\n")
    assert digest(str(write)) != said


def test_built_in__synsets_are_nouns_of_wordnet(synsets: Synsets) -> None:
    names = {synset.name for synset in synsets.values()}
    terms = read_terms(None)
    assert {term: name for term, name in terms.items() if name not in names} == {}
    assert {term: name for term, name in terms.items() if name.split(".")[-2] != "n"} == {}


@pytest.mark.parametrize("file", [BUILT_IN_TERMS, BUILT_IN_SENSES])
def test_built_in__each_once_and_as_it_is_looked_up(file: Path) -> None:
    lines = [term for _, term, _ in wordlists._lines(str(file))]
    assert sorted(lines) == sorted(set(lines))
    assert all(term == term.lower() for term in lines)


def test_built_in_senses__nouns_each_once_of_words_that_need_them(lexicon: Lexicon, synsets: Synsets) -> None:
    usual = read_senses(None, lexicon, synsets).usual
    assert len(usual) > 5_000
    for term, tiers in usual.items():
        named = [use.synset for tier in tiers for use in tier]
        senses = {synset for text in (term, *lexicon.singulars(term)) for synset in lexicon.senses(text)}
        assert all(tiers), term
        assert len(set(named)) == len(named), term
        assert {synsets[synset].pos for synset in named} == {Pos.NOUN}, term
        assert len(senses | set(named)) > 1, term


def test_built_in__say_what_wordnet_does_not(lexicon_of_wordnet: Lexicon, synsets: Synsets) -> None:
    redundant = {
        term
        for term, name in read_terms(None).items()
        if (found := lexicon_of_wordnet.find(term, False)) and [synsets[synset].name for synset in found[1]] == [name]
    }
    assert redundant == set()
