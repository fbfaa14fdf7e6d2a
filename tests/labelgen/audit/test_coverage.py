import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgen.audit.coverage import EXACT, MISSING, SEVERAL, SIMILAR, cover, covered_at
from labelgen.audit.targets import NAMES, Target, read_targets
from labelgen.dictionary.lexicon import Lexicon
from labelgen.meaning.atlas import Atlas
from labelshards.errors import CatlipError
from tests.vocab_factory import make_vocabulary

CLASSES = {"dog.n.01": 50, "cat.n.01": 40, "corgi.n.01": 30, "car.n.01": 20, "sofa.n.01": 5, "bench.n.01": 4}


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, lexicon: Lexicon) -> None:
    """Names are looked up in the lexicon that is there."""
    monkeypatch.setattr(Lexicon, "load", lambda *_: lexicon)


def target(name: str, atlas: Atlas, *, steps: int = 0) -> Target:
    return Target(name, tuple(atlas.places_of(name.split())), steps)


@pytest.mark.parametrize(
    ("name", "alpha", "match", "classes", "similarity"),
    [
        ("dog.n.01", 0.5, EXACT, ["dog.n.01"], 1.0),
        ("poodle.n.01", 0.5, SIMILAR, ["dog.n.01"], 0.5),
        ("wolf.n.01", 0.3, SIMILAR, ["dog.n.01"], 0.3333),
        ("wolf.n.01", 0.5, MISSING, ["dog.n.01"], 0.3333),
        ("seat.n.03", 0.5, SEVERAL, ["sofa.n.01", "bench.n.01"], 0.5),
        ("dog.n.01 cat.n.01", 0.5, SEVERAL, ["dog.n.01", "cat.n.01"], 1.0),
        ("dog.n.01 wolf.n.01", 0.3, EXACT, ["dog.n.01"], 1.0),
        ("idea.n.01", 0.2, MISSING, [], 0.0),
    ],
)
def test_cover__matches(
    name: str, alpha: float, match: str, classes: list[str], similarity: float, atlas: Atlas
) -> None:
    (found,) = cover(make_vocabulary(atlas, CLASSES), [target(name, atlas)], atlas, alpha)
    assert (found.match, [each.synset for each in found.classes]) == (match, classes)
    assert found.similarity == similarity
    assert all(each.support == CLASSES[each.synset] for each in found.classes)


def test_cover__what_only_its_last_word_names_stands_one_step_below(atlas: Atlas) -> None:
    (found,) = cover(make_vocabulary(atlas, CLASSES), [target("dog.n.01", atlas, steps=1)], atlas, 0.5)
    assert (found.match, found.similarity) == (SIMILAR, 0.5)


def test_cover__without_synset_or_without_classes_all_is_missing(atlas: Atlas) -> None:
    vocab = make_vocabulary(atlas, CLASSES)
    assert cover(vocab, [Target("unknown", ())], atlas)[0].match == MISSING
    assert cover(make_vocabulary(atlas, {}), [target("dog.n.01", atlas)], atlas)[0].match == MISSING


def test_cover__the_smallest_alpha_ends_at_the_root(atlas: Atlas) -> None:
    vocab = make_vocabulary(atlas, CLASSES)
    (found,) = cover(vocab, [target("idea.n.01", atlas)], atlas, 1e-9)
    assert (found.match, found.classes[0].synset) == (SIMILAR, "dog.n.01") or found.match == SEVERAL


@settings(max_examples=40)
@given(data=st.data())
def test_cover__similarity_is_nltk_s(data: st.DataObject, atlas: Atlas, nltk_wordnet: Any) -> None:  # noqa: ANN401
    thing = np.flatnonzero(atlas.below(atlas.places_of(["artifact.n.01"])[0]))
    near = st.sampled_from([atlas.names[place] for place in thing[::37].tolist()])
    wanted = data.draw(near)
    classes = data.draw(st.lists(near, min_size=1, max_size=30, unique=True))
    (found,) = cover(make_vocabulary(atlas, dict.fromkeys(classes, 1)), [target(wanted, atlas)], atlas, 0.1)
    by_nltk = {each: nltk_wordnet.synset(each).path_similarity(nltk_wordnet.synset(wanted)) for each in classes}
    most = max(by_nltk.values())
    if most < 0.1:
        assert found.match == MISSING
    else:
        assert found.similarity == pytest.approx(most, abs=1e-4)
        assert {each.synset for each in found.classes} == {
            name for name, at in by_nltk.items() if math.isclose(at, most)
        }


def test_covered_at__counts_what_each_similarity_covers(atlas: Atlas) -> None:
    wanted = [target(name, atlas) for name in ("dog.n.01", "poodle.n.01", "wolf.n.01", "idea.n.01")]
    found = cover(make_vocabulary(atlas, CLASSES), wanted, atlas)
    assert list(covered_at(found).values()) == [1, 2, 3, 3]


@pytest.mark.parametrize(("name", "count"), [("places365", 365), ("coco", 80), ("imagenet-1k", 1000)])
def test_read_targets__lists_are_whole(name: str, count: int, atlas: Atlas) -> None:
    found = read_targets(name, atlas)
    assert len(found) == len({each.name for each in found}) == count
    assert sum(not each.places for each in found) <= 1


def test_read_targets__coco_is_what_its_makers_say(atlas: Atlas) -> None:
    by_name = {each.name: each for each in read_targets("coco", atlas)}
    assert [atlas.names[place] for place in by_name["mouse"].places] == ["mouse.n.04"]


def test_read_targets__imagenet_21k_has_all_classes(atlas: Atlas) -> None:
    found = read_targets("imagenet-21k", atlas)
    assert len(found) == 21_843
    assert sum(not each.places for each in found) == 0


def test_read_targets__timm_is_not_imported() -> None:
    code = (
        "import sys; from labelgen.meaning.atlas import read_atlas; from labelgen.audit.targets import read_targets;"
        "read_targets('imagenet-1k', read_atlas());"
        "print([name for name in ('timm', 'torch', 'spacy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_read_targets__without_timm_says_what_to_do(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(CatlipError, match="pip install timm"):
        read_targets("imagenet-1k", atlas)


def test_read_targets__a_file_of_everything(tmp_path: Path, atlas: Atlas) -> None:
    file = tmp_path / "classes.txt"
    file.write_text(
        "# mine\n\nn02084071\nsofa.n.01\npolar bears\narena/hockey\nauto_showroom\nmy pet\tdog.n.01, cat.n.01\n"
        "tench, Tinca tinca\nqwertyuiop\n"
    )
    found = [
        (each.name, [atlas.names[at] for at in each.places], each.steps) for each in read_targets(str(file), atlas)
    ]
    assert found == [
        ("n02084071 dog", ["dog.n.01"], 0),
        ("sofa.n.01 sofa", ["sofa.n.01"], 0),
        ("polar bears", ["ice_bear.n.01"], 0),
        ("arena/hockey", found[3][1], 0),
        ("auto_showroom", ["showroom.n.01"], 1),
        ("my pet", ["dog.n.01", "cat.n.01"], 0),
        ("tench, Tinca tinca", ["tench.n.01"], 0),
        ("qwertyuiop", [], 0),
    ]
    assert "stadium.n.01" in found[3][1] or "arena.n.04" in found[3][1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# nothing\n\n", "names no class"),
        (b"dog\nn99999999\n", "line 2: WordNet 3.0 has no synset 'n99999999'"),
        (b"my dog\tdog.n.99\n", "line 1: WordNet 3.0 has no synset 'dog.n.99'. It has dog.n.01"),
        (b"caf\xe9\n", "is not UTF-8"),
    ],
)
def test_read_targets__wrong_lines(content: bytes, said: str, tmp_path: Path, atlas: Atlas) -> None:
    file = tmp_path / "classes.txt"
    file.write_bytes(content)
    with pytest.raises(CatlipError, match=said):
        read_targets(str(file), atlas)


def test_read_targets__a_name_of_a_hundred_thousand_words_takes_no_time_by_their_square(
    tmp_path: Path, atlas: Atlas
) -> None:
    (tmp_path / "classes.txt").write_text("lorem " * 100_000 + "auto showroom\n")
    (found,) = read_targets(str(tmp_path / "classes.txt"), atlas)
    assert (found.steps, len(found.places)) == (1, 1)


def test_read_targets__as_windows_writes_it(tmp_path: Path, atlas: Atlas) -> None:
    (tmp_path / "mine.txt").write_bytes("\ufeffn02084071\r\nsofa\tsofa.n.01\r\n".encode())
    found = read_targets(str(tmp_path / "mine.txt"), atlas)
    assert [each.places for each in found] == [(place,) for place in atlas.places_of(["dog.n.01", "sofa.n.01"])]


def test_read_targets__unknown_list_names_those_there_are(atlas: Atlas) -> None:
    with pytest.raises(CatlipError, match=r"There is no list 'imagenet'\. Lists: imagenet-1k"):
        read_targets("imagenet", atlas)
    assert set(NAMES) >= {"imagenet-1k", "imagenet-21k", "places365", "coco"}
