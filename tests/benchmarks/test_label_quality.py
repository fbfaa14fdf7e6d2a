"""The yardstick measured: gold readers on the real gold data, scorers on examples that can be counted by hand."""

import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.label_quality import captions, gold, scores
from benchmarks.label_quality.__main__ import main
from benchmarks.label_quality.gold import HardCaption, ObjectName, Photo
from benchmarks.label_quality.goldset import GoldSet
from benchmarks.label_quality.questions import Questions
from benchmarks.label_quality.strings import Finder, Found, words
from benchmarks.label_quality.wordnet import Nouns, read_nouns


@pytest.fixture(scope="session")
def nouns() -> Nouns:
    return read_nouns()


@pytest.fixture
def small_data(test_data: Path, tmp_path: Path, write_tar: Callable[..., Path]) -> Path:
    """The gold data as it is, beside corpora of a few samples."""
    (tmp_path / "gold").symlink_to(test_data / "gold")
    (tmp_path / "coco-captions-objects.tar").symlink_to(test_data / "coco-captions-objects.tar")
    coco = ["A zebra and a bottle.", "Two zebras in a bowl"]
    annotations = [{"image_id": 7, "caption": caption} for caption in coco]
    (tmp_path / "coco-captions-val2017.json").write_text(json.dumps({"annotations": annotations}))
    (tmp_path / "cc3m-val.tsv").write_text("an airplane in the sky\thttp://a\ncan we go\thttp://b\n")
    (tmp_path / "flickr8k/train").mkdir(parents=True)
    member = json.dumps({"captions": ["a dog at the door", "a brown dog"]}).encode()
    write_tar(tmp_path / "flickr8k/train/00000.tar", [("0.jpg", b""), ("0.json", member), ("0.txt", b"a dog")])
    return tmp_path


def test_object_names__are_600_with_real_synsets(test_data: Path, nouns: Nouns) -> None:
    names = gold.object_names(test_data)
    assert len(names) == 600
    assert all(name.synset in nouns.by_name for name in names)
    by_synset = {name.synset: name.words for name in names}
    assert by_synset["airplane.n.01"] == ("airplane", "aeroplane")
    assert by_synset["bow.n.04"] == ("bow",)  # LVIS: bow_(weapon)
    assert by_synset["boat.n.01"] == ("boat",)  # LVIS: also ship_(boat), a remark that captions do not make


@pytest.mark.parametrize(("corpus", "count"), [("senseval2", 1_066), ("senseval3", 900)])
def test_noun_instances__have_known_senses(test_data: Path, nouns: Nouns, corpus: str, count: int) -> None:
    instances = gold.noun_instances(test_data, corpus, nouns)
    assert len(instances) == count
    assert all(instance.synsets <= nouns.by_name.keys() and instance.synsets for instance in instances)
    assert all(instance.lemma == instance.lemma.lower() and "_" not in instance.lemma for instance in instances)
    if corpus == "senseval2":
        assert instances[0].lemma == "art"
        assert instances[0].synsets == {"art.n.03"}
        assert instances[0].company[:4] == ("the", "of", "change ringing", "be")


def test_coco_photos__and_categories(test_data: Path, nouns: Nouns) -> None:
    photos, categories = gold.coco_photos(test_data), gold.coco_categories(test_data)
    assert (len(photos), len(categories)) == (284, 80)
    assert {category for photo in photos for category in photo.objects} <= categories.keys()
    assert [name for name, synset in categories.items() if synset not in nouns.by_name] == ["stop sign"]


def test_corpora__are_whole(test_data: Path) -> None:
    corpora = gold.corpora(test_data)
    counts = {name: (len(samples), sum(map(len, samples))) for name, samples in corpora.items()}
    assert counts == {"COCO": (5_000, 25_014), "Flickr8k": (6_000, 30_000), "CC3M-val": (15_833, 15_833)}
    assert not any("\t" in caption for (caption,) in corpora["CC3M-val"])


def test_string_match__is_the_known_baseline(test_data: Path) -> None:
    gold_set = GoldSet(test_data)
    result = scores.score_categories(gold_set.mentioned, gold_set.mentioned, gold_set.photos)
    assert (result.predicted, result.right, result.recall) == (522, 470, 1.0)
    assert result.precision == pytest.approx(0.900, abs=0.001)


def test_hard_captions__alternatives_are_sets() -> None:
    hard = gold.hard_captions()
    assert len(hard) >= 150
    by_caption = {entry.caption: entry for entry in hard}
    assert frozenset({"hotdog.n.02", "frank.n.02"}) in by_caption["a hot dog with mustard and ketchup"].right


def test_nouns__hypernyms_and_senses(nouns: Nouns) -> None:
    assert {"dog.n.01", "animal.n.01", "entity.n.01"} <= nouns.upwards("dog.n.01")
    assert "dog.n.01" not in nouns.upwards("animal.n.01")
    assert {"mouse.n.01", "mouse.n.04"} <= nouns.senses("mouse")
    assert nouns.senses("smartphone") == set()
    assert nouns.by_sense_key["dog%1:05:00::"] == "dog.n.01"
    assert nouns.by_sense_key["hot_dog%1:13:02::"] == "hotdog.n.02"


def test_finder__whole_words_singular_or_plural() -> None:
    finder = Finder({"knife": ["knife"], "hot dog": ["hot dog"], "dog": ["dog"], "person": captions.PERSON})
    assert words("Two hot-dogs, the dog's toy") == ["two", "hot", "dogs", "the", "dog's", "toy"]
    assert list(finder.find("Hot dogs and Knives")) == [
        Found("hot dog", 0, 2),
        Found("dog", 1, 2),
        Found("knife", 3, 4),
    ]
    assert {found.name for found in finder.find("two women and a dogma")} == {"person"}


def test_captions_of_names__real_ones_without_longer_terms(nouns: Nouns) -> None:
    names = [
        ObjectName(("bear",), "bear.n.01"),
        ObjectName(("bow",), "bow.n.04"),
        ObjectName(("bow",), "bow.n.08"),
        ObjectName(("airplane", "aeroplane"), "airplane.n.01"),
    ]
    corpus = [("a polar bear", "two bears"), ("bears again", "and a bear again"), ("an aeroplane with a bow",)]
    assert captions.captions_of_names(names, [corpus], nouns) == [
        ["two bears", "bears again"],
        [],
        [],
        ["an aeroplane with a bow"],
    ]
    many = [[(f"bear {number}",) for number in range(100)]]
    chosen = captions.captions_of_names(names[:1], many, nouns)
    assert chosen == [["bear 0", "bear 20", "bear 40", "bear 60", "bear 80"]]


def test_captions_of_class__every_template_with_every_lemma(nouns: Nouns) -> None:
    assert captions.captions_of_class("ice_bear.n.01", [], nouns)["with a hypernym"][0] == (
        "a photo of an ice bear, a kind of bear"
    )
    gull = captions.captions_of_class("television_receiver.n.01", ["tv"], nouns)
    assert list(gull) == list(captions.CLASS_TEMPLATES)
    assert gull["name alone"][0] == "tv"
    assert gull["with its gloss"][0].startswith("a tv: an electronic device that receives television signals")
    assert list(captions.captions_of_class("stop_sign.n.01", ["stop sign"], nouns)) == ["name alone", "photo of"]


def test_senses__each_name_weighs_the_same() -> None:
    assert scores.sense_outcome({"mouse.n.04"}, "mouse.n.04", {"mouse.n.01", "mouse.n.04"}) == "right"
    assert scores.sense_outcome({"mouse.n.01", "dog.n.01"}, "mouse.n.04", {"mouse.n.01", "mouse.n.04"}) == "wrong"
    assert scores.sense_outcome({"dog.n.01"}, "mouse.n.04", {"mouse.n.01", "mouse.n.04"}) == "nothing"
    result = scores.Senses.of([["right"], ["right", "wrong", "wrong", "nothing"]])
    assert (result.names, result.right, result.wrong, result.nothing) == (2, 0.625, 0.25, 0.125)
    assert scores.Senses.of([]).names == 0


def test_categories__a_kind_of_it_counts(nouns: Nouns) -> None:
    categories = {"dog": "dog.n.01", "person": "person.n.01", "stop sign": "stop_sign.n.01"}
    assert scores.claimed_categories({"dalmatian.n.02", "woman.n.01"}, categories, nouns) == {"dog", "person"}
    assert scores.claimed_categories({"animal.n.01"}, categories, nouns) == set()
    assert scores.claimed_categories(set(), categories, nouns) == set()


def test_categories__precision_and_recall() -> None:
    photos = [Photo(("a dog and a man",), frozenset({"dog", "person"})), Photo(("a bear",), frozenset({"cat"}))]
    result = scores.score_categories([{"dog", "cat"}, {"cat"}], [{"dog", "person"}, {"bear"}], photos)
    assert (result.predicted, result.right, result.mentioned, result.recalled) == (3, 2, 2, 1)
    assert result.precision == pytest.approx(2 / 3)
    assert result.recall == 0.5


def test_reached__by_the_first_template_that_does() -> None:
    given = {("a", "name alone"): {"b"}, ("a", "photo of"): {"a", "b"}, ("b", "name alone"): {"b"}}
    result = scores.score_reached(given, ["a", "b", "c"], captions.CLASS_TEMPLATES)
    assert (result.classes, result.reached, result.missing) == (3, 2, ["c"])
    assert result.by_template == {"name alone": 1, "photo of": 1, "with a hypernym": 0, "with its gloss": 0}


def test_corpus__thresholds_are_exceeded() -> None:
    result = scores.score_corpus([{"a", "b"}, {"a"}, set(), {"a"}])
    assert (result.samples, result.labelled, result.labels_per_sample) == (4, 0.75, 1.0)
    assert result.classes == {1: 1, 5: 0, 10: 0, 25: 0, 100: 0}


def test_hard__alternatives_and_faults() -> None:
    hard = [
        HardCaption("", (frozenset({"a", "b"}), frozenset({"c"})), frozenset({"d"})),
        HardCaption("", (), frozenset({"d", "e"})),
        HardCaption("", (frozenset({"a"}),), frozenset()),
    ]
    result = scores.score_hard([{"b", "c", "d"}, {"d", "e"}, {"a"}], hard)
    assert (result.demanded, result.found, result.forbidden) == (3, 3, 3)
    assert result.clean == pytest.approx(1 / 3)


class Knowing:
    """Labels every caption with one thing: what its only word that it knows stands for."""

    KNOWN = ("zebra", "bottle", "bowl", "airplane", "dog")

    def label(self, samples: Sequence[Sequence[str]]) -> list[set[str]]:
        return [
            {f"{word}.n.01" for caption in sample for word in self.KNOWN if word in words(caption)}
            for sample in samples
        ]

    def choose(self, questions: Sequence[tuple[str, Sequence[str]]]) -> list[str | None]:
        assert all(term not in company or len(company) > 1 for term, company in questions)
        return [f"{term}.n.01" if term in self.KNOWN else None for term, _ in questions]


def test_questions__labels_find_their_way_back(small_data: Path) -> None:
    gold_set = GoldSet(small_data)
    questions = Questions(Knowing(), gold_set)
    corpora, _ = questions.corpora()
    assert {name: corpus.samples for name, corpus in corpora.items()} == {"COCO": 1, "Flickr8k": 1, "CC3M-val": 2}
    assert corpora["COCO"].labels_per_sample == 3
    assert corpora["CC3M-val"].labelled == 0.5

    names, errors = questions.names()
    real = [name.words[0] for name, found in zip(gold_set.names, gold_set.captions_of_names, strict=True) if found]
    assert {"airplane", "dog"} <= set(real)
    assert names["real"].names == len(real)
    assert names["in captions"].names == 600
    assert "airplane.n.01: nothing | an airplane in the sky" not in errors

    objects, errors = questions.objects()
    assert objects["COCO photos"].right > 0
    assert all(error.split(" by ")[0] in gold_set.categories for error in errors)
    assert questions.cost()[0]["COCO"].rest_over_parse is None


@pytest.mark.usefixtures("chunk_parser")  # spaCy is loaded without torch, as in a worker
def test_command__the_real_labeler_before_every_question(small_data: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    arguments = ["--labeler", "noun-chunks", "--senses", "first", "--only", "names,senseval,objects,corpora,hard,cost"]
    done = CliRunner().invoke(main, [*arguments, "--data", str(small_data), "--json", str(results), "--errors"])
    assert done.exit_code == 0, done.output
    answers = json.loads(results.read_text())
    row = "noun-chunks x first"
    assert answers["objects"].keys() == {"string match", row}
    assert 0.8 < answers["objects"][row]["COCO photos"]["precision"] < 1
    assert answers["corpora"][row]["COCO"]["classes"]["1"] == 0
    assert answers["senseval"][row]["senseval2"]["right"] > 0.5
    assert 0 < answers["hard"][row]["captions"]["found"] < answers["hard"][row]["captions"]["demanded"]
    assert answers["cost"][row]["COCO"]["parse_seconds"] > 0


def test_command__unknown_question_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["--only", "names,colours"])
    assert done.exit_code == 2
    assert "colours" in done.output


def test_imagenet_classes__are_a_thousand_of_wordnets(nouns: Nouns) -> None:
    classes = gold.imagenet_classes(nouns)
    assert (len(classes), classes[0]) == (1_000, "tench.n.01")
    assert len(set(classes)) == 1_000


def test_members__of_every_tar_are_read(test_data: Path) -> None:
    tars = sorted((test_data / "flickr8k/train").glob("*.tar"))
    with tarfile.open(tars[0]) as archive:
        count = sum(name.endswith(".json") for name in archive.getnames())
    assert count == len(gold.corpora(test_data)["Flickr8k"]) // len(tars)
