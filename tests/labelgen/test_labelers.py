"""What the real labelers give: for 250 nasty captions (golden file), and case by case.

golden/captions.json is written anew with CATLIP_UPDATE_GOLDEN=1; read the difference before you keep it.
"""

import json
import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from labelgen import labelers
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Folder
from labelgen.inmemory import Labelling
from labelgen.labelers import NounChunks, PosNouns, Published, Tools
from labelgen.meaning import stoplist
from labelgen.mentions.reader import Captions, Labeler
from labelgen.mentions.terms import Dropped, Mention
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import ChunkParser

GOLDEN = Path(__file__).parent / "golden" / "captions.json"


@pytest.fixture(scope="module")
def tools(lexicon: Lexicon, wordnet_folder: Folder) -> Tools:
    return Tools(lexicon, wordnet_folder, "unused")


@pytest.fixture(scope="module")
def noun_chunks(tools: Tools, chunk_parser: ChunkParser) -> NounChunks:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelers, "ChunkParser", lambda _model, nouns="chunks": chunk_parser)
        return NounChunks(tools)


@pytest.fixture(scope="module")
def first(make_labelling: Callable[..., Labelling]) -> Labelling:
    return make_labelling("noun-chunks", "first")


def captions_of(texts: list[str]) -> Captions:
    return Captions(texts, [normalize(text)[0] for text in texts])


def found_by(labeler: Labeler, parsed: Any) -> list[Mention | Dropped]:  # noqa: ANN401  (what its own `parse` gave)
    return list(chain.from_iterable(labeler.phrases(parsed)))


def written(mention: Mention) -> str:
    """`red:attribute > dog`, `glasses:head:plural`."""
    term = mention.term
    name = ":".join(filter(None, (term.text, term.role.value, term.form.value)))
    return f"{name} > {mention.of.text}" if mention.of else name


def test_labelers__give_what_is_golden(noun_chunks: NounChunks, labelling: Labelling, first: Labelling) -> None:
    """Mentions of each caption; its labels by the default policy, all captions being the corpus, and by `first`."""
    entries: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
    assert len(entries) >= 250
    texts = [entry["caption"] * entry.get("times", 1) for entry in entries]
    mentions = [
        [written(found) for found in found_by(noun_chunks, parse) if isinstance(found, Mention)]
        for parse in noun_chunks.parse(captions_of(texts))
    ]
    found = [
        {
            **{name: entry[name] for name in ("caption", "times") if name in entry},
            "mentions": list(dict.fromkeys(of_caption)),
            "labels": sorted(labels),
            "first": sorted(labels_by_first),
        }
        for entry, of_caption, labels, labels_by_first in zip(
            entries,
            mentions,
            labelling.label([[text] for text in texts]),
            first.label([[text] for text in texts]),
            strict=True,
        )
    ]
    if os.environ.get("CATLIP_UPDATE_GOLDEN"):
        GOLDEN.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")
        entries = json.loads(GOLDEN.read_text())
    wrong = [(now, was) for now, was in zip(found, entries, strict=True) if now != was]
    assert wrong == []


@pytest.mark.parametrize(
    ("caption", "labels"),
    [
        ("a large polar bear", {"ice_bear.n.01"}),
        ("two sofas and a couch", {"sofa.n.01"}),
        ("He gave it to them", set()),
        ("a picture frame", {"picture_frame.n.01"}),
        ("a picture", set()),
        ("a group of people", {"person.n.01"}),
        ("in the middle of the square", {"public_square.n.01"}),
    ],
)
def test_labelling__labels(labelling: Labelling, caption: str, labels: set[str]) -> None:
    assert labelling.label([[caption]]) == [labels]


def test_labelling__stop_list_can_be_left_out(make_labelling: Callable[..., Labelling]) -> None:
    captions = [["a picture of a dog", "a group of dogs"]]
    assert make_labelling(senses="first").label(captions) == [{"dog.n.01"}]
    assert make_labelling(senses="first", stoplist=False).label(captions) == [
        {"picture.n.01", "group.n.01", "dog.n.01"}
    ]


def test_labelling__modifiers_are_asked_for(make_labelling: Callable[..., Labelling]) -> None:
    captions = [["a birthday cake candle"]]
    assert make_labelling(senses="first").label(captions) == [{"candle.n.01"}]
    assert make_labelling(senses="first", modifiers=True).label(captions) == [{"candle.n.01", "birthday_cake.n.01"}]


def test_labelling__several_captions_are_one_sample(labelling: Labelling) -> None:
    assert labelling.label([["a dog", "two dogs and a cat", "", "the cats"], [], [""]]) == [
        {"dog.n.01", "cat.n.01"},
        set(),
        set(),
    ]


def test_noun_chunks__batches_make_no_difference(noun_chunks: NounChunks) -> None:
    captions = captions_of(["a dog on the grass", "two polar bears", "a man riding a horse"] * 50)
    together = [found_by(noun_chunks, parse) for parse in noun_chunks.parse(captions)]
    assert len(together) == 150
    assert together[:3] == together[3:6] == together[-3:]


def test_pos_nouns__words_alone(tools: Tools, chunk_parser: ChunkParser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelers, "ChunkParser", lambda _model, nouns="chunks": chunk_parser)
    labeler = PosNouns(tools)
    (parse,) = labeler.parse(captions_of(["a hot dog stand with two polar bears"]))
    assert [written(found) for found in found_by(labeler, parse) if isinstance(found, Mention)] == [
        "dog:head",
        "stand:head",
        "bear:head",
    ]


def test_published__reads_the_raw_caption(tools: Tools) -> None:
    labeler = Published(tools)
    (raw,) = labeler.parse(Captions(["A%20dog on <b>us</b>"], ["anything else"]))
    found = found_by(labeler, raw)
    assert [written(each) for each in found if isinstance(each, Mention)] == ["dog:head"]
    assert [each.surface for each in found if not isinstance(each, Mention)] == ["a", "on", "us"]


@pytest.mark.parametrize(("labeler", "labels"), [("pos-nouns", {"dog.n.01", "base.n.08"}), ("corenet", {"dog.n.01"})])
def test_labelling__other_labelers(make_labelling: Callable[..., Labelling], labeler: str, labels: set[str]) -> None:
    assert make_labelling(labeler).label([["the hot dog stand"]]) == [labels]


def test_stoplist__terms_are_known_to_wordnet(lexicon: Lexicon) -> None:
    unknown = {term for term in stoplist.TERMS if not lexicon.senses(term)}
    assert unknown == set()
