"""The form of golden/hard_captions.json: captions with hard words, judged by hand from WordNet's glosses alone.

Each entry names the synsets that must be among a caption's labels (`right`; `a.n.01|b.n.02` is either of them), those
that may be (`also`) and those that must not be (`forbidden`), and says why. The file knows no rule of any labeler.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import TypedDict

import pytest

from labelgen.dictionary.synsets import Synsets

HARD_CAPTIONS = Path(__file__).parent / "golden" / "hard_captions.json"

# Words that captions use in another sense than WordNet's first one, or that spaCy, WordNet or NLTK stumble over.
HARD_WORDS = """
    white black free stock image design set woman template home street city men women children feet geese mice mouse
    hands eyes pants glasses t-shirt tee jersey christmas bike bicycle motorbike boss us was clothes goggles scissors
    crane vintage plate photo plane phone couch tv kids taxi polar hot teddy orange turkey china bat bank bow bowl cap
    chest coat court deck drake fan file fly glass horn jaguar jam keyboard kite lead letter light mole mug nails nuts
    organ palm park pen pitcher plant pool port punch pupil racket ring rock ruler saw scale seal ship shade sink
    spring stand star stool strike tank tie toast trunk watch wave wood yard prey tea breath men's bull's colour grey
    tyre aeroplane pyjamas doughnuts donuts yoghurt smartphone selfie hoodie laptop e-bike tshirt suv wi-fi eiffel
    golden rose bush rob bill york kitchen front middle group couple pair bunch slice can may are
"""


class Entry(TypedDict):
    """One caption and its judgement; synsets by NLTK's name."""

    caption: str
    right: list[str]
    also: list[str]
    forbidden: list[str]
    why: str


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    loaded: list[Entry] = json.loads(HARD_CAPTIONS.read_text())
    return loaded


def demanded(entry: Entry) -> list[str]:
    """All synsets that `right` names, alternatives one by one."""
    return [name for names in entry["right"] for name in names.split("|")]


def test_hard_captions__are_many_and_each_once(entries: list[Entry]) -> None:
    assert len(entries) >= 150
    assert [caption for caption, count in Counter(entry["caption"] for entry in entries).items() if count > 1] == []


def test_hard_captions__name_real_synsets(entries: list[Entry], synsets: Synsets) -> None:
    names = {synset.name for synset in synsets.values()}
    used = {name for entry in entries for name in (*demanded(entry), *entry["also"], *entry["forbidden"])}
    assert used - names == set()


def test_hard_captions__judge_a_synset_once(entries: list[Entry]) -> None:
    for entry in entries:
        outside = [*entry["also"], *entry["forbidden"]]
        assert len(set(outside)) == len(outside), entry["caption"]
        assert not set(outside) & set(demanded(entry)), entry["caption"]
        assert len(set(entry["right"])) == len(entry["right"]), entry["caption"]


def test_hard_captions__give_a_reason_and_a_judgement(entries: list[Entry]) -> None:
    for entry in entries:
        assert set(entry) == {"caption", "right", "also", "forbidden", "why"}
        assert entry["caption"].strip() == entry["caption"] != ""
        assert entry["why"].strip() == entry["why"] != ""
    assert sum(len(entry["right"]) for entry in entries) >= 400
    assert sum(not entry["right"] for entry in entries) >= 8  # nothing may come where no noun is


@pytest.mark.parametrize("word", HARD_WORDS.split())
def test_hard_captions__cover_the_hard_words(entries: list[Entry], word: str) -> None:
    whole_word = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", re.IGNORECASE)
    assert any(whole_word.search(entry["caption"]) for entry in entries)


def test_hard_captions__ambiguous_words_are_met_in_two_senses(entries: list[Entry]) -> None:
    by_name = Counter(name for entry in entries for name in set(demanded(entry)))
    assert {"mouse.n.01", "mouse.n.04", "crane.n.04", "crane.n.05", "plate.n.04", "home_plate.n.01"} <= set(by_name)
    assert {"bat.n.01", "bat.n.05", "bank.n.01", "bank.n.09", "orange.n.01", "orange.n.03"} <= set(by_name)
