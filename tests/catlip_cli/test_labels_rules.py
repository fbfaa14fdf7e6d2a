"""The options that say how captions are labelled: labelers, policies, families, terms and senses by hand, explain."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catlip_cli import rules
from catlip_cli.main import run
from labelgen import labelers
from labelgen.meaning import policies, unpruned
from labelgen.meaning.corpus import Corpus
from labelgen.parsing import nouns
from labelshards.labelset import LabelSet
from labelshards.schema import FAMILIES, NOUNS

pytestmark = pytest.mark.usefixtures("one_process")

CAPTIONS = (
    "a small red car on a road",
    "a man drives a red car",
    "two poodles running on the grass",
    "a crane lifting steel beams",
    "a photo of a kitchen table",
    "a selfie with a zorblax",
)


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    file = tmp_path / "captions.txt"
    file.write_text("\n".join(CAPTIONS) + "\n")
    return file


def build(out: Path, *arguments: object) -> int:
    threshold = [] if "--vocabulary" in arguments else ["--threshold", "0"]
    return run(["labels", "build", "--out", str(out), *threshold, *map(str, arguments)])


def labels_of(out: Path) -> list[set[str]]:
    label_set = LabelSet.open(str(out))
    shard = label_set.read_shard(0)
    return [{label_set.vocabulary.synsets[label] for label in shard.labels(row)} for row in range(len(shard))]


def families_of(out: Path) -> dict[str, set[str]]:
    vocab = LabelSet.open(str(out)).vocabulary
    return {
        family: {name for name, own in zip(vocab.synsets, vocab.families, strict=True) if own == family}
        for family in set(vocab.families)
    }


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_names__are_those_of_labelgen() -> None:
    assert rules.LABELERS == labelers.NAMES
    assert rules.NOUNS == nouns.NOUNS
    assert rules.POLICIES == policies.NAMES
    assert (NOUNS, *rules.FAMILIES) == FAMILIES


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--policy", "first"], "crane.n.01"),
        (["--families", "actions"], "raise.v.02"),
        (["--modifiers"], "steel.n.01"),
        (["--no-stoplist"], "photograph.n.01"),
    ],
)
def test_build__another_choice_parses_nothing(
    tmp_path: Path, captions: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path / "labels", captions) == 0
    assert expected not in set[str]().union(*labels_of(tmp_path / "labels"))
    capsys.readouterr()
    assert build(tmp_path / "labels", captions, *arguments, "--json") == 0
    found = summary(capsys)
    assert (found["changed"], found["shards_extracted"]) == (True, 0)
    assert expected in set[str]().union(*labels_of(tmp_path / "labels"))


def test_build__families_have_thresholds_of_their_own(tmp_path: Path, captions: Path) -> None:
    assert build(tmp_path / "labels", captions, "--families", "attributes=1,compounds=1,hypernyms=1") == 0
    found = families_of(tmp_path / "labels")
    assert found["attributes"] == {"red.s.01"}
    assert found["compounds"] == {"red.s.01+car.n.01"}
    assert "motor_vehicle.n.01" in found["hypernyms"]
    assert "car.n.01" in found["nouns"]
    vocab = LabelSet.open(str(tmp_path / "labels")).vocabulary
    pair = vocab.synsets.index("red.s.01+car.n.01")
    assert vocab.wnids[pair] == "a00381097+n02958343"
    assert vocab.lemmas[pair][0] == "red car"
    assert labels_of(tmp_path / "labels")[0] >= {"red.s.01", "car.n.01", "red.s.01+car.n.01", "motor_vehicle.n.01"}


def test_build__hypernyms_are_labels_of_what_lies_below(tmp_path: Path, captions: Path) -> None:
    (tmp_path / "captions.txt").write_text("a poodle\na dog\na beagle\n")
    assert build(tmp_path / "labels", captions, "--families", "hypernyms", "--hypernym-depth", 1) == 0
    label_set = LabelSet.open(str(tmp_path / "labels"))
    support = dict(zip(label_set.vocabulary.synsets, label_set.vocabulary.support.tolist(), strict=True))
    assert labels_of(tmp_path / "labels")[0] == {"poodle.n.01", "dog.n.01"}
    assert (support["dog.n.01"], support["poodle.n.01"]) == (2, 1)
    assert families_of(tmp_path / "labels")["nouns"] == {"poodle.n.01", "dog.n.01", "beagle.n.01"}


def test_build__vocabulary_with_families_labels_all_of_them(tmp_path: Path, captions: Path) -> None:
    assert build(tmp_path / "labels", captions, "--families", "attributes,compounds,hypernyms") == 0
    assert build(tmp_path / "heldout", captions, "--vocabulary", tmp_path / "labels") == 0
    assert labels_of(tmp_path / "heldout") == labels_of(tmp_path / "labels")


@pytest.mark.parametrize(
    ("families", "says"),
    [("nouns,adverbs", "there is no family 'nouns'"), ("actions=many", "the threshold of actions is 'many'")],
)
def test_build__families_that_cannot_be(
    tmp_path: Path, captions: Path, families: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path / "labels", captions, "--families", families) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "labels").exists()


def test_build__senses_by_hand(tmp_path: Path, captions: Path) -> None:
    senses = tmp_path / "senses.tsv"
    senses.write_text("# by hand\ncar\tcable_car.n.01\ncrane\t!crane.n.04\n*\t!steel.n.01\n")
    assert build(tmp_path / "labels", captions, "--senses", senses) == 0
    found = labels_of(tmp_path / "labels")
    assert "cable_car.n.01" in found[0]
    assert "crane.n.05" in found[3]


def test_build__forbidden_senses_do_not_come_back_through_a_colour(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a man in a yellow jacket\n")
    (tmp_path / "senses.tsv").write_text("*\t!jacket.n.01\n")
    assert build(tmp_path / "labels", tmp_path / "captions.txt", "--senses", tmp_path / "senses.tsv") == 0
    assert "jacket.n.01" not in labels_of(tmp_path / "labels")[0]


def test_build__terms_by_hand(tmp_path: Path, captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terms = tmp_path / "terms.tsv"
    terms.write_text("zorblax\tdog.n.01\nselfie\t-\n")
    assert build(tmp_path / "labels", captions) == 0
    assert labels_of(tmp_path / "labels")[5] == {"self-portrait.n.01"}
    assert build(tmp_path / "labels", captions, "--terms", terms) == 1
    assert "was made with --terms = nothing, and this build has " in capsys.readouterr().err
    assert build(tmp_path / "labels", captions, "--terms", terms, "--rebuild") == 0
    assert labels_of(tmp_path / "labels")[5] == {"dog.n.01"}


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("--senses", "car\tcar.n.99\n", "line 1: WordNet 3.0 has no synset 'car.n.99'. 'car' has: car.n.01"),
        ("--senses", "car\n", "line 1: expected two columns with a tab between them"),
        ("--terms", "\n\nzorblax\tdog\n", "line 3: 'dog' is no synset's name"),
        ("--terms", "zorblax\tzorblax.n.01\n", "zorblax.n.01"),
    ],
)
def test_build__files_by_hand_that_are_wrong(
    tmp_path: Path, captions: Path, option: str, content: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "by_hand.tsv"
    file.write_text(content)
    assert build(tmp_path / "labels", captions, option, file) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert says in said
    assert str(file) in said
    assert build(tmp_path / "labels", captions, option, tmp_path / "gone.tsv") == 1
    assert "gone.tsv" in capsys.readouterr().err


def test_build__published_rule(tmp_path: Path, captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(tmp_path / "labels", captions, "--labeler", "corenet") == 0
    assert labels_of(tmp_path / "labels")[0] == {"red.n.01", "road.n.01", "car.n.01", "small.n.01"}
    provenance = LabelSet.open(str(tmp_path / "labels")).manifest.provenance
    assert provenance.tools["nltk"]["tokenizer"] in ("punkt", "treebank")
    assert "spacy" not in provenance.tools
    for arguments in (["--policy", "context"], ["--families", "actions"], ["--modifiers"], ["--terms", captions]):
        capsys.readouterr()
        assert build(tmp_path / "labels", captions, "--labeler", "corenet", *arguments) == 1
        said = capsys.readouterr().err
        assert "is the published rule" in said
        assert f"Leave out {arguments[0]}, or" in said


def test_explain__labelers_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "explain", "a photo of a white woman near a crane lifting steel"]) == 0
    said = capsys.readouterr()
    assert "chunk “a crane”: looked up crane" in said.out
    assert "crane.n.04" in said.out.partition("pos-nouns, senses: first")[0]
    assert "left out: it speaks of the picture itself" in said.out
    assert "left out: --families actions labels it" in said.out
    assert "its first sense is angstrom.n.01" in said.out
    assert said.out.rstrip().splitlines()[-1].startswith("Next: catlip labels build")
    assert said.err == ""


def test_explain__json_has_every_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "explain", "a crane lifting steel beams", "--labeler", "noun-chunks", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["labelers"]
    assert (told["labeler"], told["policy"]) == ("noun-chunks", "context")
    crane = next(term for term in told["terms"] if term["term"] == "crane")
    best = crane["senses"][0]
    assert (crane["label"], best["synset"]) == ("crane.n.04", "crane.n.04")
    assert best["score"] == pytest.approx(sum(best["reasons"].values()) + sum(best["company"].values()), abs=0.1)
    assert [sense["score"] for sense in crane["senses"]] == sorted(
        (sense["score"] for sense in crane["senses"]), reverse=True
    )


def test_explain__agrees_with_the_label_set(tmp_path: Path, captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(tmp_path / "labels", captions) == 0
    for caption, labels in zip(CAPTIONS, labels_of(tmp_path / "labels"), strict=True):
        capsys.readouterr()
        arguments = ["--labeler", "noun-chunks", "--labels", str(tmp_path / "labels"), "--json"]
        assert run(["labels", "explain", caption, *arguments]) == 0
        (told,) = json.loads(capsys.readouterr().out)["labelers"]
        assert set(told["labels"]) == labels


@pytest.mark.parametrize("caption", ["", "   ", "狗", "<b></b>", "of the"])
def test_explain__nothing_to_label(caption: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "explain", caption, "--labeler", "noun-chunks"]) == 0
    assert capsys.readouterr().err == ""


def test_explain__asks_the_samples_that_the_build_counted(
    tmp_path: Path, captions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("a crane in shallow water\n")
    assert build(tmp_path / "labels", captions, more) == 0
    monkeypatch.setattr(unpruned, "_STATISTICS_SHARDS", 1)
    monkeypatch.setattr(unpruned, "_STATISTICS_SAMPLES", 3)
    counted = []
    add = Corpus.add

    def watched(corpus: Corpus, offsets: np.ndarray, words: np.ndarray) -> None:
        counted.append(len(offsets) - 1)
        add(corpus, offsets, words)

    monkeypatch.setattr(Corpus, "add", watched)
    assert run(["labels", "explain", "a crane", "--labels", str(tmp_path / "labels")]) == 0
    of_caption = 1
    assert counted == [4, of_caption, of_caption, of_caption]  # only the first labeler asks the corpus


def test_explain__label_set_without_candidates(
    tmp_path: Path, captions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path / "labels", captions) == 0
    assert run(["vocab", "prune", str(tmp_path / "labels"), "--out", str(tmp_path / "few"), "--max-classes", "3"]) == 0
    assert build(tmp_path / "labels", captions, "--no-keep-candidates") == 0
    for name, says in (("few", "Take the label set that it came from"), ("labels", "without --no-keep-candidates")):
        capsys.readouterr()
        assert run(["labels", "explain", "a crane", "--labels", str(tmp_path / name)]) == 1
        assert says in capsys.readouterr().err
