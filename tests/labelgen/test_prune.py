import errno
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from labelgen import candidates
from labelgen.build import finish
from labelgen.classes.corenet_vocabulary import import_corenet
from labelgen.classes.edit import Edit, Merge, Split
from labelgen.folder import locks
from labelgen.meaning.atlas import Atlas
from labelgen.prune import prune
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.verify import verify

CAPTIONS = [
    "a dog and a cat", "two dogs on a sofa", "a puppy on a couch", "a puppy and a dog", "a week", "a man with a dog",
    "a corgi", "a woman and a man", "it rains", "a black dog", "a cat on a sofa", "a sofa",
]  # fmt: skip


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, atlas: Atlas) -> None:
    """The map of WordNet that is there already."""
    for module in ("prune", "classes.edited"):
        monkeypatch.setattr(f"labelgen.{module}.read_atlas", lambda: atlas)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, build_labels: Callable[..., str]) -> str:
    return build_labels(tmp_path_factory.mktemp("prune"), CAPTIONS, threshold=0, keep_captions=True)


@pytest.fixture
def labels(one_process: None, tmp_path: Path, source: str) -> Callable[..., dict[str, int]]:
    """`labels(edit, threshold)` → synset → support of the label set made, which is verified."""

    def make(edit: Edit, threshold: int | None = None) -> dict[str, int]:
        out = str(tmp_path / "pruned")
        prune(source, out, edit, threshold)
        assert verify(out).wrong == []
        vocab = LabelSet.open(out).vocabulary
        return dict(zip(vocab.synsets, vocab.support.tolist(), strict=True))

    return make


Labels = Callable[..., dict[str, int]]
ALL = {
    "dog.n.01": 5, "sofa.n.01": 4, "cat.n.01": 2, "man.n.01": 2, "puppy.n.01": 2, "corgi.n.01": 1, "woman.n.01": 1,
    "week.n.01": 1,
}  # fmt: skip


def test_prune__nothing_decided_gives_the_same_files(labels: Labels, source: str, tmp_path: Path) -> None:
    assert labels(Edit()) == ALL
    for name in (
        "vocabulary.parquet",
        "examples.parquet",
        "cooccurrence.parquet",
        "shards/a.parquet",
        "shards/b.parquet",
    ):
        assert (tmp_path / "pruned" / name).read_bytes() == Path(source, name).read_bytes()


@pytest.mark.parametrize(
    ("edit", "threshold", "expected"),
    [
        (Edit(), 1, {name: count for name, count in ALL.items() if count > 1}),
        (Edit(max_classes=2), None, {"dog.n.01": 5, "sofa.n.01": 4}),
        (Edit(deny=["below person.n.01", "noun.time"]), None,
         {name: count for name, count in ALL.items() if name not in ("man.n.01", "woman.n.01", "week.n.01")}),
        (Edit(under=["dog.n.01", "furniture.n.01"]), 1, {"dog.n.01": 5, "sofa.n.01": 4, "puppy.n.01": 2}),
        (Edit(merge=[Merge("below dog.n.01", "dog.n.01")]), 1,
         {"dog.n.01": 7, "sofa.n.01": 4, "cat.n.01": 2, "man.n.01": 2}),
        (Edit(merge=[Merge("below dog.n.01", "animal.n.01"), Merge("cat.n.01", "animal.n.01")]), 1,
         {"animal.n.01": 8, "sofa.n.01": 4, "man.n.01": 2}),
        (Edit(split=[Split("sofa.n.01", "couch", "sofa.n.01")]), 3, {"dog.n.01": 5, "sofa.n.01": 4}),
        (Edit(split=[Split("sofa.n.01", "sofa", "daybed.n.01")]), 1,
         {"dog.n.01": 5, "daybed.n.01": 3, "cat.n.01": 2, "man.n.01": 2, "puppy.n.01": 2}),
    ],
)  # fmt: skip
def test_prune__decisions(edit: Edit, threshold: int | None, expected: dict[str, int], labels: Labels) -> None:
    assert labels(edit, threshold) == expected


def test_prune__is_kept_as_provenance(labels: Labels, tmp_path: Path, source: str) -> None:
    edit = Edit(deny=["week.n.01"], merge=[Merge("puppy.n.01", "dog.n.01")], max_classes=5)
    labels(edit, 1)
    manifest = LabelSet.open(str(tmp_path / "pruned")).manifest
    assert manifest.provenance.settings["edit"] == {
        "deny": ["week.n.01"], "merge": [{"synset": "puppy.n.01", "into": "dog.n.01"}], "split": [], "under": [],
        "max_classes": 5,
    }  # fmt: skip
    assert manifest.threshold == 1
    assert manifest.fingerprint != LabelSet.open(source).manifest.fingerprint
    assert "edit" not in LabelSet.open(source).manifest.provenance.settings


def test_prune__examples_follow_their_classes(labels: Labels, tmp_path: Path) -> None:
    labels(Edit(merge=[Merge("puppy.n.01", "dog.n.01")], split=[Split("sofa.n.01", "couch", "daybed.n.01")]))
    label_set = LabelSet.open(str(tmp_path / "pruned"))
    told = pq.read_table(tmp_path / "pruned" / "examples.parquet").to_pylist()
    terms = {(label_set.vocabulary.synsets[row["class_id"]], row["term"]) for row in told}
    assert {("dog.n.01", "dog"), ("dog.n.01", "puppy"), ("daybed.n.01", "couch"), ("sofa.n.01", "sofa")} <= terms
    assert ("sofa.n.01", "couch") not in terms


def test_prune__parses_no_caption(labels: Labels, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelgen import labelers

    monkeypatch.setattr(labelers, "ChunkParser", lambda *_: pytest.fail("spaCy was asked for"))
    assert len(labels(Edit(), 1)) == 5


def test_prune__leaves_its_source_alone(labels: Labels, source: str) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in Path(source).rglob("*.*")}

    labels(Edit())  # what can be kept is kept
    before = state()
    labels(Edit(deny=["week.n.01"]))
    assert state() == before


def test_prune__of_a_folder_that_cannot_be_written(
    labels: Labels, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = locks.held

    def refusing(folder: str) -> AbstractContextManager[None]:
        if folder == source:
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return held(folder)

    monkeypatch.setattr(locks, "held", refusing)
    assert labels(Edit(max_classes=2)) == {"dog.n.01": 5, "sofa.n.01": 4}


def test_prune__again_to_the_same_folder(labels: Labels) -> None:
    assert labels(Edit(max_classes=2)) == {"dog.n.01": 5, "sofa.n.01": 4}
    assert labels(Edit(max_classes=1)) == {"dog.n.01": 5}


def test_prune__its_vocabulary_merges_in_other_data_too(
    labels: Labels, tmp_path: Path, build_labels: Callable[..., str]
) -> None:
    labels(Edit(merge=[Merge("puppy.n.01", "dog.n.01")], deny=["man.n.01"]))
    pruned = str(tmp_path / "pruned")
    other = LabelSet.open(build_labels(tmp_path / "other", ["a puppy", "a man"], vocabulary_from=pruned))
    dog = other.vocabulary.synsets.index("dog.n.01")
    assert other.read_shard(0).values.tolist() == [dog]
    assert other.read_shard(1).values.tolist() == []
    assert other.manifest.provenance.settings["edit"]["merge"]
    assert verify(other.root).wrong == []


@pytest.mark.usefixtures("one_process")
class TestRefusals:
    def refused(self, source: str, out: str, said: str, edit: Edit | None = None, threshold: int | None = None) -> None:
        with pytest.raises(CatlipError, match=said):
            prune(source, out, edit or Edit(max_classes=1), threshold)

    def test_prune__in_place(self, source: str) -> None:
        self.refused(source, source + "/", "cannot be pruned in place")

    def test_prune__what_was_built_is_not_lost(
        self, source: str, tmp_path: Path, build_labels: Callable[..., str]
    ) -> None:
        other = build_labels(tmp_path, ["a dog", "a cat"], threshold=0)
        self.refused(source, other, "was made by `catlip labels build`, and would be lost")
        storage.remove(candidates.folder_of(other))
        self.refused(source, other, "is a label set of other data, and would be lost")
        assert verify(other).wrong == []

    def test_prune__a_vocabulary_alone(self, tmp_path: Path, atlas: Atlas) -> None:
        (tmp_path / "vocab.pkl").write_bytes(pickle.dumps({"n2084071": 30}))
        out = str(tmp_path / "corenet")
        import_corenet(str(tmp_path / "vocab.pkl"), out, atlas)
        self.refused(out, str(tmp_path / "out"), "corenet is a vocabulary alone. Label data with it")

    def test_prune__no_class_is_left(self, source: str, tmp_path: Path) -> None:
        self.refused(source, str(tmp_path / "out"), "the vocabulary would be empty", threshold=99)
        self.refused(source, str(tmp_path / "out"), "No class is left", Edit(under=["fish.n.01"]))
        assert not (tmp_path / "out" / "labelset.json").exists()

    def test_prune__folder_with_other_files(self, source: str, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        self.refused(source, str(tmp_path), "holds other files")

    def test_prune__no_label_set(self, tmp_path: Path) -> None:
        self.refused(str(tmp_path), str(tmp_path / "out"), "not a finished label set")

    def test_prune__list_of_senses_that_changed(self, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        senses = tmp_path / "senses"
        senses.write_text("dog\tdog.n.01\n")
        folder = build_labels(tmp_path, ["a dog", "a cat"], threshold=0, pins=str(senses))
        senses.write_text("dog\tfrump.n.01\n")
        self.refused(folder, str(tmp_path / "out"), "senses changed after the build began. Run the build again")

    def test_prune__candidates_are_gone(self, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        folder = build_labels(tmp_path, ["a dog", "a cat"], threshold=0)
        storage.remove(candidates.folder_of(folder))
        self.refused(folder, str(tmp_path / "out"), "has no candidates: .*--no-keep-candidates")

    def test_prune__pruned_before(self, source: str, tmp_path: Path) -> None:
        prune(source, str(tmp_path / "once"), Edit(max_classes=3), None)
        self.refused(str(tmp_path / "once"), str(tmp_path / "twice"), "was pruned itself")

    def test_prune__vocabulary_of_another(self, source: str, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        folder = build_labels(tmp_path, ["a dog", "a cat"], vocabulary_from=source)
        self.refused(folder, str(tmp_path / "out"), "The vocabulary of .* is that of")

    def test_prune__split_with_hypernyms(self, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        folder = build_labels(tmp_path, ["a dog", "a cat"], threshold=0, families={"hypernyms": 0})
        edit = Edit(split=[Split("dog.n.01", "dog", "cat.n.01")])
        self.refused(folder, str(tmp_path / "out"), "cannot be split", edit)
        prune(folder, str(tmp_path / "merged"), Edit(merge=[Merge("dog.n.01", "cat.n.01")]), None)
        assert verify(str(tmp_path / "merged")).wrong == []

    def test_prune__begun_otherwise(self, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        folder = build_labels(tmp_path, ["a dog", "a cat"], threshold=0)
        plan = Path(folder, "_candidates", "plan.json")
        plan.write_bytes(plan.read_bytes().replace(b'"senses":"context"', b'"senses":"first"'))
        self.refused(folder, str(tmp_path / "out"), "asked for other labels")

    def test_prune__of_another_catlip(self, tmp_path: Path, build_labels: Callable[..., str]) -> None:
        folder = build_labels(tmp_path, ["a dog", "a cat"], threshold=0)
        plan = Path(folder, "_candidates", "plan.json")
        plan.write_bytes(plan.read_bytes().replace(b'"rules":', b'"rules":9'))
        self.refused(folder, str(tmp_path / "out"), "another version of catlip")


@pytest.mark.usefixtures("one_process")
def test_prune_and_finish__are_refused_where_a_build_is_at_work(
    build_labels: Callable[..., str], tmp_path: Path
) -> None:
    built = build_labels(tmp_path / "a", CAPTIONS, threshold=0)
    out = str(tmp_path / "pruned")
    prune(built, out, Edit(max_classes=2), None)
    for held in (built, out):
        with locks.held(held), pytest.raises(CatlipError, match=f"Another build is writing to {held}"):
            prune(built, out, Edit(max_classes=2), None)
    with locks.held(built), pytest.raises(CatlipError, match=f"Another build is writing to {built}"):
        finish(built)


@pytest.mark.usefixtures("one_process")
def test_prune__clears_what_killed_ones_left(build_labels: Callable[..., str], tmp_path: Path) -> None:
    built = build_labels(tmp_path / "a", CAPTIONS, threshold=0)
    out = tmp_path / "pruned"
    prune(built, str(out), Edit(max_classes=2), None)
    halves = [
        out / "vocabulary.parquet.partial-1-abcd",
        out / "shards" / "a.parquet.partial-1-abcd",
        Path(built) / "_candidates" / "a.nouns.resolved.partial-1-abcd",
    ]
    for half in halves:
        half.write_bytes(b"half")
    prune(built, str(out), Edit(max_classes=2), None)
    assert not [half for half in halves if half.exists()]
