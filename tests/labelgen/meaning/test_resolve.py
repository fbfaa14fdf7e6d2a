"""Terms → labels, family by family."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.candidates import CandidateShard
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.meaning.policies import FIRST, VISUAL
from labelgen.meaning.resolve import COMPOUND_BITS, Choice, Language, Resolved, make_resolver
from labelgen.meaning.senses import Pins
from labelshards.schema import ACTIONS, ATTRIBUTES, COMPOUNDS, FAMILIES, HYPERNYMS, NOUNS
from tests.labelgen.shards import Written, entries_of, shard

ROWS: list[list[Written]] = [
    ["dog", ("red:attribute", "ball"), "run:action"],
    ["dog::counted", "sofa", "couch", ("kitchen:modifier", "table")],
    ["picture", ("old:attribute", "picture"), "group::partitive", "rose::name"],
    [],
]


class WordNet(Language):
    """The real one, which Hypothesis need not print."""

    def __repr__(self) -> str:
        return "WordNet"


@pytest.fixture(scope="module")
def language(lexicon: Lexicon, synsets: Synsets) -> Language:
    return WordNet(lexicon, synsets, Pins({}, {}, {}))


def choice(*families: str, **changed: object) -> Choice:
    settings: dict[str, object] = {
        "senses": FIRST,
        "stoplist": True,
        "modifiers": False,
        "hypernym_depth": 2,
        "pins": "",
    }
    return Choice(families=dict.fromkeys((NOUNS, *families), 0), **{**settings, **changed})  # type: ignore[arg-type]


def resolve(language: Language, found: CandidateShard, how: Choice) -> Resolved:
    mentions = found.mentioned()
    return make_resolver([mentions.entries], [mentions], language, how).resolve(mentions)


def names(language: Language, resolved: Resolved, num_rows: int = len(ROWS)) -> list[set[str]]:
    """Per row, the names of its labels, compounds as `modifier+head`."""
    named: list[set[str]] = [set() for _ in range(num_rows)]
    for rows, numbers in resolved.by_family.values():
        for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
            parts = [language.synsets[part].name for part in divmod(number, 1 << COMPOUND_BITS) if part]
            named[row].add("+".join(parts))
    return named


def test_resolve__nouns_alone(language: Language) -> None:
    resolved = resolve(language, shard(ROWS), choice())
    assert list(resolved.by_family) == [NOUNS]
    assert names(language, resolved) == [
        {"dog.n.01", "ball.n.01"},
        {"dog.n.01", "sofa.n.01", "table.n.01"},
        set(),
        set(),
    ]


@pytest.mark.parametrize(
    ("families", "added"),
    [
        ([ATTRIBUTES], [{"red.s.01"}, set(), {"old.a.01"}]),
        ([ACTIONS], [{"run.v.01"}, set(), set()]),
        ([COMPOUNDS], [{"red.s.01+ball.n.01"}, {"kitchen.n.01+table.n.01"}, set()]),
        ([COMPOUNDS, ACTIONS], [{"red.s.01+ball.n.01", "run.v.01"}, {"kitchen.n.01+table.n.01"}, set()]),
    ],
)
def test_resolve__families_add(language: Language, families: list[str], added: list[set[str]]) -> None:
    plain = names(language, resolve(language, shard(ROWS), choice()))
    found = names(language, resolve(language, shard(ROWS), choice(*families)))
    assert [row - before for row, before in zip(found, plain, strict=True)] == [*added, set()]
    assert all(before <= row for row, before in zip(found, plain, strict=True))


@pytest.mark.parametrize("depth", [0, 1, 2, 30])
def test_resolve__hypernyms_to_their_depth(language: Language, depth: int) -> None:
    resolved = resolve(language, shard([["dog"], ["sofa", "dog"]]), choice(HYPERNYMS, hypernym_depth=depth))
    level, above = {language.lexicon.senses("dog")[0]}, set[int]()
    for _ in range(depth):
        level = {parent for synset in level for parent in language.synsets[synset].hypernyms}
        above |= level
    rows, numbers = resolved.by_family[HYPERNYMS]
    assert set(numbers[rows == 0].tolist()) == above
    assert set(numbers[rows == 1].tolist()) >= above
    assert len(resolved.by_family[NOUNS][1]) == 3


def test_resolve__modifiers_are_asked_for(language: Language) -> None:
    without = names(language, resolve(language, shard(ROWS), choice()))
    with_them = names(language, resolve(language, shard(ROWS), choice(modifiers=True)))
    assert [more - less for more, less in zip(with_them, without, strict=True)] == [
        set(),
        {"kitchen.n.01"},
        set(),
        set(),
    ]


def test_resolve__stop_list_off(language: Language) -> None:
    found = names(language, resolve(language, shard(ROWS), choice(ATTRIBUTES, COMPOUNDS, stoplist=False)))
    assert found[2] == {"picture.n.01", "old.a.01", "old.a.01+picture.n.01", "group.n.01"}


def test_resolve__compound_has_the_senses_of_its_own_sample(language: Language) -> None:
    found = shard([[("red:attribute", "crane"), "bird", "nest"], [("red:attribute", "crane"), "construction", "truck"]])
    by_family = resolve(language, found, choice(COMPOUNDS, senses="context")).by_family
    of_nouns, (rows, numbers) = by_family[NOUNS], by_family[COMPOUNDS]
    for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
        assert number & ((1 << COMPOUND_BITS) - 1) in of_nouns[1][of_nouns[0] == row]
    assert rows.tolist() == [0, 1]
    assert len(set(numbers.tolist())) == 2


def test_produced__which_examples_have_the_sense(language: Language) -> None:
    found = shard([["crane", "bird", "nest"], ["crane", "construction", "truck"], ["couch"], ["sofa"], ["sofa"]])
    produced = resolve(language, found, choice(senses="context")).produced[NOUNS]
    told = {
        (language.synsets[label].name, entries_of(found.terms)[entry].term.text): (samples, bits)
        for entry, label, samples, bits in zip(*(column.tolist() for column in produced), strict=True)
    }
    assert told["crane.n.05", "crane"] == (1, 0b01)
    assert told["crane.n.04", "crane"] == (1, 0b10)
    assert told["sofa.n.01", "couch"] == (1, 0b1)
    assert told["sofa.n.01", "sofa"] == (2, 0b11)


TERMS: st.SearchStrategy[Written] = st.one_of(
    st.sampled_from(
        ["dog", "dog::counted", "couch", "sofa", "glasses::plural", "rose::name", "group::partitive", "picture",
         "xyzzy", "kitchen:modifier", "red:attribute", "run:action", "white"]
    ),
    st.tuples(
        st.sampled_from(["red:attribute", "old:attribute", "kitchen:modifier", "xyzzy:modifier", "picture:modifier"]),
        st.sampled_from(["dog", "table", "picture", "rose::name"]),
    ),
)  # fmt: skip
SHARDS = st.lists(st.lists(TERMS, max_size=6), max_size=6)
CHOICES = st.builds(
    lambda families, senses, stoplist, modifiers, depth: choice(
        *families, senses=senses, stoplist=stoplist, modifiers=modifiers, hypernym_depth=depth
    ),
    st.sets(st.sampled_from(FAMILIES[1:])),
    st.sampled_from([FIRST, VISUAL]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)


@given(rows=SHARDS, how=CHOICES)
def test_resolve__invariants(language: Language, rows: Sequence[Sequence[Written]], how: Choice) -> None:
    found = shard(rows)
    resolved = resolve(language, found, how)
    assert set(resolved.by_family) <= set(how.families)
    entries = entries_of(found.terms)
    candidates = {synset for entry in entries for synset in language.lexicon.senses(entry.term.text, entry.term.pos)}
    if "glasses" in {entry.term.text for entry in entries}:
        candidates |= set(language.lexicon.senses("glass"))
    for family, (of_rows, numbers) in resolved.by_family.items():
        assert of_rows.dtype == numbers.dtype == np.int64
        own = list(zip(of_rows.tolist(), numbers.tolist(), strict=True))
        assert own == sorted(set(own))
        assert all(0 <= row < len(rows) for row, _ in own)
        for number in numbers.tolist():
            parts = [part for part in divmod(number, 1 << COMPOUND_BITS) if part]
            assert len(parts) == (2 if family == COMPOUNDS else 1)
            assert set(parts) <= language.synsets.keys()
            assert family == HYPERNYMS or set(parts) <= candidates
        # What is said to have produced labels is what did.
        produced = resolved.produced[family]
        assert set(produced.labels.tolist()) == (set() if family == HYPERNYMS else set(numbers.tolist()))
        assert ((produced.samples >= 1) & (produced.samples <= len(rows))).all()
        assert produced.examples.all()


@given(rows=SHARDS, how=CHOICES, at=st.integers(0, 6))
def test_resolve__rows_do_not_depend_on_their_shard(
    language: Language, rows: Sequence[Sequence[Written]], how: Choice, at: int
) -> None:
    whole = names(language, resolve(language, shard(rows), how), len(rows))
    parts = [shard(rows[:at]).mentioned(), shard(rows[at:]).mentioned()]
    resolver = make_resolver([part.entries for part in parts], parts, language, how)
    cut = [names(language, resolver.resolve(part), len(part.offsets) - 1) for part in parts]
    assert [*cut[0], *cut[1]] == whole
