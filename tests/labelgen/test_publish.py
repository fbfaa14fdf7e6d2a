"""Publishing again: what is taken from the run before, and what is not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from labelgen import candidates
from labelgen.classes import examples
from labelgen.classes.encode import Encoded, encode_shard
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.extract import Settings
from labelgen.meaning import resolve
from labelgen.meaning.resolve import Choice, Language
from labelgen.meaning.senses import Pins
from labelgen.publish import publish
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard
from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.labelset import LabelSet
from labelshards.schema import ATTRIBUTES, COMPOUNDS, HYPERNYMS, NOUNS
from tests.labelgen.shards import Written, shard

SHARDS: dict[str, list[list[Written]]] = {
    "a": [["dog", ("red:attribute", "ball")], ["dog::counted", "crane", "bird"], []],
    "b": [["crane", "truck", "building"], [("red:attribute", "ball"), "sofa"], ["couch", "dog"]],
}


@pytest.fixture
def language(lexicon: Lexicon, synsets: Synsets) -> Language:
    return Language(lexicon, synsets, Pins({}, {}, {}))


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples had senses chosen, shard by shard."""
    calls: list[int] = []
    original = resolve.Resolver.resolve

    def counting(self: resolve.Resolver, mentions: candidates.Mentions) -> resolve.Resolved:
        calls.append(len(mentions.offsets) - 1)
        return original(self, mentions)

    monkeypatch.setattr(resolve.Resolver, "resolve", counting)
    return calls


@pytest.fixture
def published(tmp_path: Path, language: Language) -> Callable[..., list[Any]]:
    """Publishes the shards named, and tells what is in the label set."""
    for name, rows in SHARDS.items():
        candidates.write(candidates.folder_of(str(tmp_path)), name, shard(rows))

    def run(names: Sequence[str] = tuple(SHARDS), *, senses: str = "context", **families: int) -> list[Any]:
        choice = Choice(
            senses=senses, stoplist=True, modifiers=False, families={NOUNS: 0, **families}, hypernym_depth=1, pins=""
        )
        fields = Fields()
        publish(
            out=str(tmp_path),
            shards=[InputShard(name=name, uri=name, format="tar", identity="", size=0) for name in names],
            language=language,
            choice=choice,
            vocabulary_from=None,
            settings=Settings(rules=1, labeler="x", fields=fields, keep_captions=False, terms="", tools={}),
            sources=["x"],
            fingerprint="x",
            failed=[],
            on_step=lambda done, total: None,
        )
        found = LabelSet.open(str(tmp_path))
        return [
            found.vocabulary.synsets,
            [[found.read_shard(at).labels(row).tolist() for row in range(3)] for at in range(len(names))],
            found.examples().to_pylist(),
        ]

    return run


def test_publish__another_threshold_chooses_no_sense_again(
    published: Callable[..., list[Any]], chosen: list[int]
) -> None:
    families = {ATTRIBUTES: 0, COMPOUNDS: 0, HYPERNYMS: 0}
    first = published(**families)
    assert chosen == [3, 3]
    higher = published(**dict.fromkeys(families, 1))
    assert chosen == [3, 3]
    assert set(higher[0]) < set(first[0])
    assert published(**families) == first


def test_publish__other_families_choose_only_what_is_new(
    published: Callable[..., list[Any]], chosen: list[int], tmp_path: Path
) -> None:
    everything: dict[str, int] = {ATTRIBUTES: 0, COMPOUNDS: 0, HYPERNYMS: 0}
    nouns = published()
    assert chosen == [3, 3]
    above = published(**{HYPERNYMS: 0})
    assert chosen == [3, 3]  # they follow from the nouns
    added = published(**everything)
    assert chosen == [3] * 4
    assert published() == nouns
    assert published(**{HYPERNYMS: 0}) == above
    assert published(**everything) == added
    assert chosen == [3] * 4
    storage.remove(candidates.folder_of(str(tmp_path)))
    for name, rows in SHARDS.items():
        candidates.write(candidates.folder_of(str(tmp_path)), name, shard(rows))
    assert published(**everything) == added


def test_publish__examples_are_gathered_once(
    published: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered: list[str] = []
    original = examples.Gathering.add

    def counting(self: examples.Gathering, folder: str, name: str, *found: Any) -> None:  # noqa: ANN401
        gathered.append(name)
        original(self, folder, name, *found)

    monkeypatch.setattr(examples.Gathering, "add", counting)
    first, few = published(**{COMPOUNDS: 0}), published(**{COMPOUNDS: 1})
    assert gathered == ["a", "a", "b", "b"]  # nouns and compounds
    assert published(**{COMPOUNDS: 0}) == first
    assert gathered == ["a", "a", "b", "b"]
    assert all(row["class_id"] < len(few[0]) for row in few[2])


def test_publish__compounds_that_were_no_classes_are_gathered_again(published: Callable[..., list[Any]]) -> None:
    none, some = ({row["term"] for row in published(**{COMPOUNDS: at})[2]} for at in (2, 1))
    assert some - none == {"red ball"}


def test_publish__another_policy_or_corpus_chooses_again(
    published: Callable[..., list[Any]], chosen: list[int]
) -> None:
    first = published()
    published(senses="first")
    assert chosen == [3] * 4
    published(["a"], senses="first")
    assert chosen == [3] * 5
    assert published() == first


@pytest.mark.parametrize("content", [None, b"", b"0123456789abcdef and something else"])
def test_publish__lost_or_broken_labels_are_chosen_again(
    published: Callable[..., list[Any]], chosen: list[int], tmp_path: Path, content: bytes | None
) -> None:
    first = published()
    file = tmp_path / candidates.FOLDER_NAME / "b.nouns.resolved"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert published() == first
    assert chosen == [3] * 3


def test_publish__what_fails_for_a_shard_ends_it(
    published: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*, name: str, **how: Any) -> Encoded:  # noqa: ANN401
        if name == "b":
            raise OSError(28, "No space left on device", name)
        return encode_shard(name=name, **how)

    published()
    monkeypatch.setattr("labelgen.publish.encode_shard", failing)
    with pytest.raises(OSError, match="No space left on device: 'b'"):
        published(senses="first")
    with pytest.raises(LabelSetError, match="is not a finished label set"):
        LabelSet.open(str(tmp_path))
