import csv
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from labelgen.classes.export import FORMATS, export
from labelgen.meaning.atlas import Atlas
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests.vocab_factory import write_set


@pytest.fixture
def label_set(tmp_path: Path, atlas: Atlas) -> LabelSet:
    return write_set(tmp_path, atlas, [["dog.n.01", "person.n.01"], ["dog.n.01"]])


def test_export__json(label_set: LabelSet) -> None:
    found = json.loads(export(label_set, "json"))
    assert found["vocabulary_digest"] == label_set.vocabulary.digest
    assert [(each["class_id"], each["wnid"], each["support"]) for each in found["classes"]] == [
        (0, "n02084071", 2), (1, "n00007846", 1),
    ]  # fmt: skip
    assert found["classes"][0]["lemmas"] == ["dog", "domestic dog", "Canis familiaris"]


def test_export__csv(label_set: LabelSet) -> None:
    dog, _ = csv.DictReader(io.StringIO(export(label_set, "csv").decode()))
    assert (dog["synset"], dog["lemmas"]) == ("dog.n.01", "dog | domestic dog | Canis familiaris")
    assert dog["gloss"] == label_set.vocabulary.glosses[0]


def test_export__timm_takes_names_and_descriptions(label_set: LabelSet) -> None:
    found = json.loads(export(label_set, "timm"))
    assert found["num_classes"] == 2
    assert found["label_names"] == ["n02084071", "n00007846"]
    assert found["label_descriptions"]["n00007846"].startswith("person, individual, someone")


def test_export__corenet_is_a_pickled_dict(label_set: LabelSet) -> None:
    assert pickle.loads(export(label_set, "corenet")) == {"n2084071": 2, "n7846": 1}


def test_export__corenet_has_nouns_alone(tmp_path: Path, build_labels: Callable[..., str]) -> None:
    folder = build_labels(tmp_path, ["a red dog runs", "a cat"], threshold=0, families={"attributes": 0, "actions": 0})
    with pytest.raises(CatlipError, match="nouns alone, and this one has actions, attributes"):
        export(LabelSet.open(folder), "corenet")
    assert len(json.loads(export(LabelSet.open(folder), "json"))["classes"]) == 4


@pytest.mark.parametrize("form", FORMATS)
def test_export__is_the_same_every_time(form: str, label_set: LabelSet) -> None:
    assert export(label_set, form) == export(LabelSet.open(label_set.root), form)
