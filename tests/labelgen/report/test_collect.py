"""Label sets → what stands in the page."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from labelgen.audit.associates import read_pairs
from labelgen.meaning.atlas import Atlas
from labelgen.report.collect import collect
from labelgen.report.company import company
from labelgen.report.data import Core, Report
from labelgen.report.nodes import nodes
from labelgen.report.union import union
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests import labelset_factory


def read(*roots: Path, thumbnails: int = 0) -> Report:
    return collect([LabelSet.open(str(root)) for root in roots], thumbnails_per_class=thumbnails, moved={})


def test_union__same_wnid_is_same_class() -> None:
    one = labelset_factory.vocabulary(3, [9, 5, 1])
    other = labelset_factory.vocabulary(2, [6, 5])
    found = union([one, other])
    assert found.ids.tolist() == [[0, 1, 2], [0, 1, -1]]
    assert [each.tolist() for each in found.places] == [[0, 1, 2], [0, 1]]
    assert found.first == [(0, 0), (0, 1), (0, 2)]


def test_union__most_supported_of_all_first() -> None:
    one = labelset_factory.vocabulary(2, [9, 5])
    other = labelset_factory.vocabulary(2, [8, 7], prefix="other")
    found = union([one, other])
    assert found.first == [(0, 0), (1, 0), (1, 1), (0, 1)]
    assert found.ids.tolist() == [[0, -1, -1, 1], [-1, 0, 1, -1]]


def test_nodes__above_stands_before_and_every_way_up_is_there(atlas: Atlas) -> None:
    named = ("puppy.n.01", "run.v.01", "red.s.01", "entity.n.01")
    places = [place for name in named if (place := atlas.place_of(name)) is not None]
    tree, found = nodes(np.array([*places, -1]), atlas)
    assert [tree.name[node] for node in found] == [*named, "not in WordNet"]
    assert all(parent < node for node, parent in enumerate(tree.parent))
    above = {tree.name[parent] for node, parent in enumerate(tree.parent) if node == found[0]}
    above |= {tree.name[parent] for node, parent in tree.others if node == found[0]}
    assert above == {"dog.n.01", "pup.n.01"}
    roots = {tree.name[node] for node, parent in enumerate(tree.parent) if parent < 0}
    assert roots == {"entity.n.01", "verbs", "adjectives", "not in WordNet"}
    assert len(set(tree.name)) == len(tree.name)


def test_company__like_stands_beside_like(write_real: Callable[..., Path], tmp_path: Path) -> None:
    """Two groups whose members come together four times as often as by chance, and are dealt in turn."""
    rows = [(f"{name}.n.01", "nouns", 100) for name in ("dog", "car", "cat", "truck", "bird", "bus")]
    root = write_real(tmp_path, rows, pictures=False)
    label_set = LabelSet.open(str(root))
    lift = np.where(np.add.outer(np.arange(6), np.arange(6)) % 2, 1, 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelgen.report.company.top_matrix", lambda *_: np.where(np.eye(6) > 0, np.nan, lift))
        found = company(read_pairs(label_set, np.full(6, 100)), np.arange(6))
    assert sorted(found.classes[:3]) in ([0, 2, 4], [1, 3, 5])
    assert found.lift[0][0] is None
    assert found.lift[0][1] == 40


def test_collect__one_label_set(animals: Path) -> None:
    report = read(animals, thumbnails=2)
    core, cells = report.core, report.core.columns
    assert report.title == "Vocabulary of <i>&amp; animals/labels"
    assert cells.synset[:2] == ["person.n.01", "dog.n.01"]
    assert cells.support == [[40, 30, 22, 12, 9, 8, 7, 6, 5, 4, 3, 2, 1]]
    assert core.families == ["actions", "attributes", "compounds", "nouns"]
    assert core.families[cells.family[8]] == "compounds"
    assert core.nodes.name[cells.node[8]] == "car.n.01", "a compound stands where its noun stands"
    flags = [name for bit, (name, _) in enumerate(core.flags) if cells.flags[4] >> bit & 1]
    assert flags[:2] == ["meta", "unseeable"]
    (facts,) = core.sets
    assert (facts.samples, facts.labelled, facts.classes) == (45, 40, 13)
    assert facts.labels_per_sample[0] == 5
    dog = report.details[1][0]
    assert dog is not None
    assert dog.terms == [("dog", 30)]
    assert dog.captions[0][1] == "dog"
    assert {other for other, _, _ in dog.associates} <= set(range(13)) - {1}
    assert len(dog.pictures) == 2


def test_collect__two_label_sets(animals: Path, others: Path) -> None:
    report = read(animals, others)
    cells = report.core.columns
    dog, bird = cells.synset.index("dog.n.01"), cells.synset.index("bird.n.01")
    assert [column[dog] for column in cells.support] == [30, 50]
    assert [column[bird] for column in cells.support] == [0, 20]
    assert [column[bird] is None for column in cells.ambiguity] == [True, False]
    assert report.details[bird][0] is None
    assert report.details[bird][1] is not None
    assert report.title == "Vocabularies of <i>&amp; animals/labels and others/labels"


def test_collect__associates_are_classes_of_the_page(animals: Path, others: Path) -> None:
    """Class ids of the second label set are places in the page's list, too."""
    report = read(animals, others)
    cells = report.core.columns
    (bird,) = (of_set[1] for name, of_set in zip(cells.synset, report.details, strict=True) if name == "bird.n.01")
    assert bird is not None
    assert {cells.synset[other] for other, _, _ in bird.associates} <= {"dog.n.01", "time.n.01"}


def test_collect__is_what_the_page_reads(animals: Path) -> None:
    core = read(animals).core
    assert msgspec.json.decode(msgspec.json.encode(core), type=Core) == core


def test_collect__same_label_set_twice(animals: Path) -> None:
    with pytest.raises(CatlipError, match="given twice"):
        read(animals, animals / ".." / animals.name)


def test_collect__classes_that_are_not_in_wordnet(tmp_path: Path) -> None:
    """A vocabulary of another origin, without terms and pairs."""
    report = read(labelset_factory.write_label_set(tmp_path, labelset_factory.coloured(2, 6)), thumbnails=3)
    assert {report.core.nodes.name[node] for node in report.core.columns.node} == {"not in WordNet"}
    assert all(details is not None and not details.captions for (details,) in report.details)
    assert len(report.pictures) == 11, "three of each, of which one class has two"


def test_collect__no_class_at_all(tmp_path: Path) -> None:
    root = labelset_factory.write_label_set(tmp_path, [[labelset_factory.Item(key="1", image=None)]], num_classes=0)
    report = read(root, thumbnails=3)
    assert report.details == []
    assert report.core.sets[0].company.classes == []


def test_collect__vocabulary_without_samples(animals: Path, tmp_path: Path) -> None:
    """As an imported one: its support is of another corpus, and nothing is divided by zero samples."""
    root = labelset_factory.write_label_set(tmp_path, [], words=LabelSet.open(str(animals)).vocabulary)
    (facts,) = read(root, thumbnails=2).core.sets
    assert (facts.samples, facts.classes, facts.notes) == (0, 13, [])


def test_collect__damaged(animals: Path, tmp_path: Path, write_real: Callable[..., Path]) -> None:
    root = write_real(tmp_path, [("dog.n.01", "nouns", 3)])
    (root / schema.EXAMPLES_NAME).write_bytes(b"")
    with pytest.raises(CatlipError, match="changed after the label set was finished"):
        read(root)
