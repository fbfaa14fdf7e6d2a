"""One sense for each term: what holds whatever the weights are."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.arrays.ragged import unique_rows
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos
from labelgen.extract import Seconds
from labelgen.inmemory import Labelling
from labelgen.meaning import company, policies
from labelgen.meaning.corpus import Corpus, word_of
from labelgen.meaning.policies import CONTEXT, FIRST, NAMES, NONE, VISUAL, Chooser, share_seen
from labelgen.meaning.resolve import count_corpus
from labelgen.meaning.senses import Pins, Senses, Use
from labelgen.mentions.terms import Role, Term
from labelgen.mentions.termtable import TermTable
from labelgen.sources.sample import Sample
from tests.labelgen.shards import entries_of, term

SAMPLES = [
    "crane bird nest river", "crane construction building::counted truck", "mouse keyboard computer",
    "mouse cheese trap", "dog ball grass run:action red:attribute", "bank river water", "bank money",
    "glasses::plural face", "rose::name", "rose vase", "group::partitive dog", "xyzzy dog", "",
]  # fmt: skip


@pytest.fixture(scope="module")
def senses(lexicon: Lexicon, synsets: Synsets) -> Senses:
    return Senses(lexicon, synsets)


@pytest.fixture(scope="module")
def decided(labelling: Labelling) -> Senses:
    """With the senses decided by hand that are built in."""
    language = labelling.language
    return Senses(language.lexicon, language.synsets, language.pins)


@pytest.fixture(scope="module")
def by_name(synsets: Synsets) -> dict[str, int]:
    return {synset.name: synset.id for synset in synsets.values()}


def terms_of(samples: Sequence[str]) -> list[list[Term]]:
    return [[term(text) for text in sample.split()] for sample in samples]


class Choosing:
    """Samples of terms as arrays, with the chooser of their corpus."""

    def __init__(self, policy: str, senses: Senses, samples: Sequence[Sequence[Term]]) -> None:
        self.samples = samples
        self.terms = list(dict.fromkeys(each for sample in samples for each in sample))
        self._numbers = {each: number for number, each in enumerate(self.terms)}
        self.corpus = Corpus(word for each in self.terms if (word := word_of(each)))
        words = [[self.corpus.words[word] for each in sample if (word := word_of(each))] for sample in samples]
        rows = np.repeat(np.arange(len(samples)), [len(row) for row in words])
        self.corpus.add(*unique_rows(rows, np.array([word for row in words for word in row], np.int64), len(samples)))
        self.chooser = Chooser(policy, senses, self.terms, self.corpus)

    def choose(self, samples: Sequence[Sequence[Term]]) -> list[dict[Term, int]]:
        """What each term of each sample stands for."""
        numbers = [sorted({self._numbers[each] for each in sample}) for sample in samples]
        offsets = np.cumsum([0, *map(len, numbers)])
        chosen = self.chooser.choose(offsets, np.array([number for row in numbers for number in row], np.int64))
        return [
            {self.terms[number]: int(chosen[start + place]) for place, number in enumerate(row)}
            for row, start in zip(numbers, offsets.tolist(), strict=False)
        ]


@pytest.fixture(scope="module")
def choosing(senses: Senses) -> Choosing:
    return Choosing(CONTEXT, senses, terms_of(SAMPLES))


def test_first__is_wordnets_order(senses: Senses, lexicon: Lexicon) -> None:
    samples = terms_of(SAMPLES)
    choosing = Choosing(FIRST, senses, samples)
    for chosen in choosing.choose(samples):
        for each, synset in chosen.items():
            if not each.form:
                assert synset == (lexicon.senses(each.text, each.pos)[0] if each.text != "xyzzy" else NONE)


@pytest.mark.parametrize("policy", NAMES)
def test_choose__a_candidate_or_none(senses: Senses, policy: str) -> None:
    samples = terms_of(SAMPLES)
    found = Choosing(policy, senses, samples).choose(samples)
    for chosen in found:
        for each, synset in chosen.items():
            candidates = {candidate.synset for candidate in senses.candidates(each)}
            assert synset in candidates if candidates else synset == NONE
    assert found[8] == {term("rose::name"): NONE}
    assert found[11][term("xyzzy")] == NONE
    assert found[12] == {}


@given(data=st.data())
def test_choose__however_samples_are_split_and_ordered(choosing: Choosing, data: st.DataObject) -> None:
    whole = choosing.choose(choosing.samples)
    order = data.draw(st.permutations(range(len(choosing.samples))))
    at = data.draw(st.integers(0, len(order)))
    found = [
        chosen
        for part in (order[:at], order[at:])
        for chosen in choosing.choose([choosing.samples[number] for number in part])
    ]
    assert found == [whole[number] for number in order]


@given(data=st.data())
def test_choose__other_samples_have_no_say(choosing: Choosing, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.lists(st.sampled_from(choosing.terms), max_size=6, unique=True), max_size=5))
    assert choosing.choose(some) == [chosen for sample in some for chosen in choosing.choose([sample])]


@pytest.mark.parametrize(
    ("lemma", "company", "synset"),
    [
        ("crane", ["bird", "nest", "feather"], "crane.n.05"),
        ("crane", ["construction", "building", "truck"], "crane.n.04"),
        ("bank", ["river", "water", "boat"], "bank.n.01"),
        ("bat", ["baseball", "player", "ball"], "bat.n.05"),
        ("bat", ["cave", "wing", "mammal"], "bat.n.01"),
        ("orange", ["fruit", "apple", "banana"], "orange.n.01"),
    ],
)
def test_context__company_decides(
    decided: Senses, by_name: dict[str, int], lemma: str, company: list[str], synset: str
) -> None:
    sample = [term(text) for text in (lemma, *company)]
    [chosen] = Choosing(CONTEXT, decided, [sample]).choose([sample])
    assert chosen[term(lemma)] == by_name[synset]


def test_context__says_the_same_in_whatever_parts_it_is_made(
    senses: Senses, choosing: Choosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "_BLENDED", 3)
    monkeypatch.setattr(company, "_BATCH", 2)
    in_parts = Choosing(CONTEXT, senses, terms_of(SAMPLES))
    assert choosing.chooser._told
    assert in_parts.chooser._told
    assert np.array_equal(in_parts.chooser._told._gains, choosing.chooser._told._gains)
    assert np.array_equal(in_parts.chooser._priors, choosing.chooser._priors)


def test_visual__has_no_company(decided: Senses) -> None:
    samples = terms_of(["mouse keyboard computer", "mouse cheese rat"])
    assert len({chosen[term("mouse")] for chosen in Choosing(VISUAL, decided, samples).choose(samples)}) == 1


@pytest.fixture(scope="module")
def of_captions(labelling: Labelling, decided: Senses, test_data: Path) -> Choosing:
    """Some hundred real samples, and the chooser of their corpus."""
    annotations = json.loads((test_data / "coco-captions-val2017.json").read_text())["annotations"]
    by_image: dict[int, list[str]] = {}
    for annotation in annotations:
        by_image.setdefault(annotation["image_id"], []).append(annotation["caption"])
    captions = list(by_image.values())[:300]
    found = (Sample(str(number), tuple(texts)) for number, texts in enumerate(captions))
    shard = labelling._extractor.collect(found, "", Seconds())
    mentioned = shard.mentioned()
    entries = entries_of(shard.terms)
    samples = [
        [entries[entry].term for entry in mentioned.values[start:end] if entries[entry].head < 0]
        for start, end in pairwise(mentioned.offsets)
    ]
    choosing = Choosing(CONTEXT, decided, samples)
    table = TermTable()
    table.add(mentioned.entries)
    again = count_corpus(table, [mentioned])
    assert dict(zip(again.words, again.support.tolist(), strict=True)) == dict(
        zip(choosing.corpus.words, choosing.corpus.support.tolist(), strict=True)
    )
    return choosing


def test_weigh__its_best_is_what_choose_takes(of_captions: Choosing) -> None:
    numbers = {each: number for number, each in enumerate(of_captions.terms)}
    wrong = []
    samples = of_captions.samples[::6]  # of the whole corpus, as to weigh one takes long
    for sample, chosen in zip(samples, of_captions.choose(samples), strict=True):
        company = sorted(numbers[each] for each in sample)
        for each, synset in chosen.items():
            weighed = of_captions.chooser.weigh(numbers[each], company)
            if not weighed:
                assert synset == NONE
            elif synset not in {one.candidate.synset for one in weighed if weighed[0].score - one.score < 0.001}:
                wrong.append((each, sample, weighed[:2], synset))
    assert wrong == []


def test_weigh__reasons_add_up_and_fall(choosing: Choosing) -> None:
    for number, each in enumerate(choosing.terms):
        weighed = choosing.chooser.weigh(number, range(len(choosing.terms)))
        scores = [one.score for one in weighed]
        within = [score for score, one in zip(scores, weighed, strict=True) if one.company]
        assert within == sorted(within, reverse=True)
        assert all(text != each.text for one in weighed for text, _ in one.company)
        for one in weighed:
            assert one.score == pytest.approx(
                sum(part.nats for part in one.parts) + sum(nats for _, nats in one.company)
            )


def test_chooser__roles_that_are_left_out_get_nothing(senses: Senses) -> None:
    samples = terms_of(SAMPLES)
    choosing = Choosing(CONTEXT, senses, samples)
    nouns = Chooser(CONTEXT, senses, choosing.terms, choosing.corpus, [Role.HEAD])
    numbers = np.arange(len(choosing.terms))
    offsets = np.arange(len(numbers) + 1)
    alone, of_nouns = choosing.chooser.choose(offsets, numbers), nouns.choose(offsets, numbers)
    is_head = np.array([each.role is Role.HEAD for each in choosing.terms])
    assert of_nouns[is_head].tolist() == alone[is_head].tolist()
    assert not of_nouns[~is_head].any()


@pytest.mark.parametrize("policy", NAMES)
def test_chooser__of_nothing(senses: Senses, policy: str) -> None:
    chooser = Chooser(policy, senses, [], Corpus([]))
    assert chooser.choose(np.array([0, 0]), np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize("policy", NAMES)
def test_pins__decide(lexicon: Lexicon, synsets: Synsets, by_name: dict[str, int], policy: str) -> None:
    pins = Pins(
        {"mouse": by_name["mouse.n.04"], "dog": by_name["cat.n.01"]},
        {"bank": frozenset({by_name["bank.n.01"]}), "*": frozenset({by_name["cheese.n.01"]})},
        {},
    )
    samples = terms_of(["mouse cheese trap dog", "bank river water"])
    first, second = Choosing(policy, Senses(lexicon, synsets, pins), samples).choose(samples)
    assert first[term("mouse")] == by_name["mouse.n.04"]
    assert first[term("dog")] == by_name["cat.n.01"]
    assert first[term("cheese")] != by_name["cheese.n.01"]
    assert second[term("bank")] != by_name["bank.n.01"]


def usual(**tiers: tuple[tuple[int, ...], ...]) -> Pins:
    return Pins({}, {}, {word: tuple(tuple(map(Use, tier)) for tier in of_word) for word, of_word in tiers.items()})


@pytest.mark.parametrize("policy", [VISUAL, CONTEXT])
def test_usual__the_first_wins_without_company(
    lexicon: Lexicon, synsets: Synsets, by_name: dict[str, int], policy: str
) -> None:
    rodent, device = by_name["mouse.n.01"], by_name["mouse.n.04"]
    for first, second in ((rodent, device), (device, rodent)):
        for tiers in (((first, second),), ((first,), (second,)), ((first,),)):
            choosing = Choosing(policy, Senses(lexicon, synsets, usual(mouse=tiers)), terms_of(["mouse"]))
            assert choosing.choose(choosing.samples) == [{term("mouse"): first}]


def test_usual__company_chooses_among_them_alone(lexicon: Lexicon, synsets: Synsets, by_name: dict[str, int]) -> None:
    samples = terms_of(["mouse keyboard computer", "mouse cheese trap", "shiner eye fist mouse"])
    rodent, device = by_name["mouse.n.01"], by_name["mouse.n.04"]
    senses = Senses(lexicon, synsets, usual(mouse=((rodent, device),)))
    chosen = [of_sample[term("mouse")] for of_sample in Choosing(CONTEXT, senses, samples).choose(samples)]
    assert chosen[:2] == [device, rodent]
    assert chosen[2] in (rodent, device)
    senses = Senses(lexicon, synsets, usual(mouse=((rodent,),)))
    assert {of_sample[term("mouse")] for of_sample in Choosing(CONTEXT, senses, samples).choose(samples)} == {rodent}


def test_usual__a_sense_that_wordnet_does_not_list(lexicon: Lexicon, synsets: Synsets, by_name: dict[str, int]) -> None:
    keys = by_name["computer_keyboard.n.01"]
    assert keys not in lexicon.senses("keyboard")
    senses = Senses(lexicon, synsets, usual(keyboard=((keys,),)))
    choosing = Choosing(CONTEXT, senses, terms_of(["keyboard desk"]))
    assert choosing.choose(choosing.samples)[0][term("keyboard")] == keys


def test_usual__not_of_names_nor_in_wordnets_order(lexicon: Lexicon, synsets: Synsets, by_name: dict[str, int]) -> None:
    pins = usual(turkey=((by_name["turkey.n.01"],),), mouse=((by_name["mouse.n.04"],),))
    senses = Senses(lexicon, synsets, pins)
    assert senses.shown(term("turkey::name")) == Senses(lexicon, synsets).shown(term("turkey::name"))
    choosing = Choosing(FIRST, senses, terms_of(["mouse"]))
    assert choosing.choose(choosing.samples) == [{term("mouse"): by_name["mouse.n.01"]}]


@given(seen=st.floats(0, 1), word=st.sampled_from(["mouse", "bank", "glass::counted", "glasses::plural"]))
def test_usual__counts_for_as_much_as_can_be_seen(lexicon: Lexicon, synsets: Synsets, seen: float, word: str) -> None:
    plain = Senses(lexicon, synsets)
    last = plain.candidates(term(word))[-1].synset
    senses = Senses(lexicon, synsets, usual(**{term(word).text: ((last,),)}))
    found = senses.candidates(term(word))
    scores = [sum(part.nats for part in parts) for parts in senses.prior(term(word), found, seen)]
    if seen == 1:
        assert found[int(np.argmax(scores))].synset == last
    if seen == 0:
        in_tagged_texts = [sum(p.nats for p in parts) for parts in plain.prior(term(word), found, 0.0)]
        assert np.argsort(scores, kind="stable").tolist() == np.argsort(in_tagged_texts, kind="stable").tolist()


def test_share_seen__bounds(senses: Senses) -> None:
    def share(words: list[tuple[str, Pos]], num_samples: int) -> float:
        corpus = Corpus(words)
        for _ in range(num_samples):
            corpus.add(np.array([0, len(words)]), np.arange(len(words)))
        return share_seen(senses, corpus)

    things = [("dog", Pos.NOUN), ("table", Pos.NOUN), ("jump", Pos.VERB)]
    ideas = [("idea", Pos.NOUN), ("government", Pos.NOUN), ("think", Pos.VERB)]
    enough = policies._FEWEST_SAMPLES
    assert share(things, enough) == 1.0
    assert share(ideas, enough) == 0.0
    assert share(ideas, enough - 1) == 1.0
    assert 0.0 <= share(things + ideas, enough) <= 1.0
    assert share([("red", Pos.ADJECTIVE)], enough) == 1.0


@given(word=st.sampled_from(["dog", "idea", "glass", "run", "red", "xyzzy", ""]), pos=st.sampled_from(Pos))
def test_senses_share_seen__is_a_share(senses: Senses, word: str, pos: Pos) -> None:
    assert 0.0 <= senses.share_seen(word, pos) <= 1.0


@pytest.mark.parametrize(
    ("text", "allowed", "never"),
    [
        ("rose::name", [], ["rose.n.01"]),
        ("crane::name", [], ["crane.n.04", "crane.n.05"]),
        ("bush::name", [], ["shrub.n.01", "bush.n.06"]),
        ("paris::name", ["paris.n.01"], []),
        ("golden gate bridge::name", ["golden_gate_bridge.n.01"], []),
        ("eiffel tower::name", ["eiffel_tower.n.01"], []),
        ("yellow jacket::counted", ["jacket.n.01"], ["yellow_jacket.n.01"]),
        ("old man::counted", ["man.n.01"], ["old_man.n.01", "old_man.n.02"]),
        ("black cat::counted", ["cat.n.01"], ["fisher.n.02"]),
        ("polar bear::counted", ["ice_bear.n.01"], ["bear.n.01"]),
        ("white", [], ["white.n.01"]),
        ("glasses::plural", ["spectacles.n.01", "glass.n.02"], []),
    ],
)
def test_shown__names_and_descriptions(
    senses: Senses, synsets: Synsets, text: str, allowed: list[str], never: list[str]
) -> None:
    names = [synsets[candidate.synset].name for candidate in senses.shown(term(text))]
    assert set(allowed) <= set(names)
    assert not set(never) & set(names)
    assert len(names) == len(set(names))
