from pathlib import Path

import numpy as np
import pytest

from labelgen import language_data
from labelgen.dictionary.wordnet import Pos, Synset
from labelgen.meaning.atlas import Atlas, read_atlas
from labelshards.errors import CatlipError


def test_read_atlas__says_what_wordnet_says(atlas: Atlas, synsets: dict[int, Synset]) -> None:
    assert atlas.ids.tolist() == sorted(synsets)
    for place in range(0, len(atlas.ids), 997):
        known = synsets[int(atlas.ids[place])]
        assert atlas.names[place] == known.name
        assert atlas.glosses[place].as_py() == known.gloss
        assert atlas.lexnames[place].as_py() == known.lexname
        assert tuple(atlas.lemmas[place].as_py()) == known.lemmas
        assert tuple(atlas.ids[atlas.hypernyms.row(place)].tolist()) == known.hypernyms
        assert bool(atlas.instances[place]) == known.is_instance


def test_read_atlas__comes_from_the_cache_without_wordnet(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_data, "find_wordnet", lambda: pytest.fail("WordNet was asked for"))
    assert read_atlas().names[:100] == atlas.names[:100]


def test_read_atlas__neither_cache_nor_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> Path:
        raise CatlipError("WordNet 3.0 was not found.")

    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(language_data, "find_wordnet", missing)
    with pytest.raises(CatlipError, match="not found"):
        read_atlas()


@pytest.mark.parametrize(
    ("name", "found"), [("dog.n.01", "dog.n.01"), ("n02084071", "dog.n.01"), ("red.s.01", "red.s.01")]
)
def test_place_of__names_and_ids(name: str, found: str, atlas: Atlas) -> None:
    place = atlas.place_of(name)
    assert place is not None
    assert atlas.names[place] == found


@pytest.mark.parametrize("name", ["", "dog", "dog.n.77", "n99999999", "nothing", "n²"])
def test_place_of__unknown(name: str, atlas: Atlas) -> None:
    assert atlas.place_of(name) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dog.n.77", r"It has dog.n.01, dog.n.03, frank.n.02\."),
        ("polar bear", r"It has ice_bear.n.01\."),
        ("dogg.n.01", "dog.n.01"),
        ("", "Write it like"),
    ],
)
def test_require__says_what_there_is(name: str, said: str, atlas: Atlas) -> None:
    with pytest.raises(CatlipError, match=said):
        atlas.require(name)


def test_path__goes_from_the_root_down(atlas: Atlas) -> None:
    (place,) = atlas.places_of(["dog.n.01"])
    names = [atlas.names[each] for each in atlas.path(place)]
    assert (names[0], names[-2], names[-1]) == ("entity.n.01", "canine.n.02", "dog.n.01")


def test_below__is_closed_under_kinds(atlas: Atlas, synsets: dict[int, Synset]) -> None:
    (place,) = atlas.places_of(["canine.n.02"])
    below = atlas.below(place)
    expected = {int(atlas.ids[place])}
    while new := {number for number, each in synsets.items() if set(each.hypernyms) & expected} - expected:
        expected |= new
    assert set(atlas.ids[below].tolist()) == expected


def test_senses__judged_terms_have_tiers_and_others_what_can_be_seen(atlas: Atlas) -> None:
    meant = atlas.senses(Pos.NOUN, ["crane", "dog", "no such term", "reindeer"])
    told = [[atlas.names[place] for place in meant.senses.row(row).tolist()] for row in range(4)]
    assert told[0] == ["crane.n.04", "crane.n.05"]
    assert told[1][0] == "dog.n.01"
    assert told[2:] == [[], ["caribou.n.01"]]
    assert meant.likely.tolist() == [2, 1, 0, 0]


def test_places__unknown_numbers(atlas: Atlas) -> None:
    assert atlas.places(np.array([0, int(atlas.ids[5]), 10**12])).tolist() == [-1, 5, -1]
