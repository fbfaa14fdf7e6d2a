"""The senses that a term can have, and how likely a picture shows each of them before its company is looked at."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import THING_NAMES, Pos
from labelgen.mentions.terms import Form, Role, Term

# What speaks for a sense, in nats. The weights were fitted to senses of everyday words in captions and rounded;
# docs/quality.md says on what, and what else was tried.
#
# How readily a picture shows a sense, by the file of WordNet's lexicographers that it stands in.
SEEN = {
    "noun.artifact": 2.1, "noun.food": 2.1, "noun.animal": 1.9, "noun.Tops": 1.6, "noun.body": 0.8, "noun.object": 0.7,
    "noun.substance": 0.7, "noun.plant": 0.4, "noun.location": 0.4, "noun.possession": 0.3, "noun.phenomenon": 0.1,
    "noun.communication": 0.6, "noun.group": 0.0, "noun.person": 0.6, "noun.shape": -0.2, "noun.attribute": -0.5,
    "noun.feeling": -0.5, "noun.state": -0.5, "noun.motive": -0.8, "noun.process": -0.8, "noun.relation": -0.8,
    "noun.cognition": -1.0, "noun.event": -1.0, "noun.time": -1.3, "noun.act": -1.4, "noun.quantity": -1.5,
    "verb.motion": 1.0, "verb.contact": 1.0, "verb.consumption": 1.0, "verb.body": 0.8, "verb.competition": 0.6,
    "verb.weather": 0.6, "verb.perception": 0.4, "verb.creation": 0.2, "verb.social": -0.3, "verb.stative": -0.4,
    "verb.cognition": -0.6,
}  # fmt: skip
COUNT = 1.1  # logarithm of its share of the term's uses in WordNet's tagged texts
HEADWORD = 1.3  # the term is the synset's first lemma, not one of its synonyms
OF_PLURAL = 1.6  # the sense belongs to the plural itself: "glasses" are spectacles
CAPITAL = -0.7  # WordNet writes the lemma with a capital, the caption does not
SLANG = -0.6
MASS_COUNTED = -1.0  # "a glass" is no material
# Where a person has said which senses captions mean by a word (usual_senses.tsv), that stands for all of the above but
# the last: for the first sense, from one to the next as usual, to the first of the rarer ones, for those not named.
USUAL = 2.0
NEXT_USUAL = -0.7
RARER = -2.5
UNUSUAL = -6.0

_MASS = frozenset({"noun.substance", "noun.attribute", "noun.act", "noun.state", "noun.feeling", "noun.cognition"})
_DEEDS = frozenset(
    "verb." + name for name in ("body", "competition", "consumption", "contact", "motion", "perception", "weather")
)
_SHOWN = THING_NAMES | _DEEDS
_PEOPLE = frozenset({"noun.person", "noun.group"})
_NAMES = frozenset({Form.NAME, Form.CAPITAL})
_SLANG = ("slang", "offensive", "derogat", "disparag")
_SLANG_WITHIN = 80  # characters: what is said of the word stands first in a gloss, what is said of the thing behind
# Colours, sizes and ages describe what the next word names: "a yellow jacket" is no wasp, "an old man" nobody's boss.
_DESCRIBING_TEXT = """
    beautiful beige big black blue broad brown colored coloured dark fat giant golden great gray green grey high
    huge large light little long low new old orange pink pretty purple red short silver small tall tan thin tiny
    violet white wide yellow young
"""
DESCRIBING = frozenset(_DESCRIBING_TEXT.split())
_ALSO_THINGS = frozenset({"orange", "light", "new"})  # "orange juice", "light bulb", "new york"


class Candidate(NamedTuple):
    """A sense that a term can have, and the lemma under which it has it ("glass" or "glasses")."""

    synset: int
    lemma: str


class Part(NamedTuple):
    """One reason for or against a sense: what it is, and its weight in nats."""

    name: str
    nats: float


class Senses:
    """What WordNet says of a term's senses. `pins`: what a person decided by hand."""

    def __init__(self, lexicon: Lexicon, synsets: Synsets, pins: "Pins | None" = None) -> None:
        self.lexicon = lexicon
        self.synsets = synsets
        self._pins = pins or Pins({}, {}, {})
        # Here and not as decorators, which would keep every object of the class for good.
        self.candidates = lru_cache(maxsize=None)(self._candidates)
        self.shown = lru_cache(maxsize=None)(self._shown)
        self.by_themselves = lru_cache(maxsize=None)(self._by_themselves)
        self._ancestors = lru_cache(maxsize=None)(self._find_ancestors)
        self._is_slang = lru_cache(maxsize=None)(self._find_slang)

    def _candidates(self, term: Term) -> tuple[Candidate, ...]:
        """The senses of a term in WordNet's order; none if it can be no label, as "Rose" where it is a name."""
        found = self._in_wordnet(term)
        pinned = self._pins.pinned.get(term.text)
        if pinned is not None:
            return tuple(candidate for candidate in found if candidate.synset == pinned) or (
                Candidate(pinned, term.text),
            )
        forbidden = self._pins.forbidden.get(term.text, frozenset()) | self._pins.forbidden.get("*", frozenset())
        return tuple(candidate for candidate in found if candidate.synset not in forbidden)

    def _in_wordnet(self, term: Term) -> list[Candidate]:
        own = self._of(term.text, term.pos)
        if term.pos is Pos.NOUN and term.form not in _NAMES:
            own += [Candidate(use.synset, term.text) for tier in self._pins.usual.get(term.text, ()) for use in tier]
        if term.form is Form.NAME:
            return self._of_name(term.text, own)
        if term.form is Form.CAPITAL:
            return self._of_name(term.text, own) or [found for found in own if not self._is_capital(found)]
        if term.form is Form.PLURAL:
            own = [found for one in self.lexicon.singulars(term.text) for found in self._of(one, Pos.NOUN)] + own
        return _once(own)

    def _shown(self, term: Term) -> tuple[Candidate, ...]:
        """The candidates that a caption can mean: no proper name by a common noun, no people by a colour."""
        own = self.candidates(term)
        if term.form in _NAMES or term.pos is not Pos.NOUN or term.text in self._pins.pinned:
            return own
        usual = self._usual(term)
        common = [found for found in own if found.synset in usual or not self._is_capital(found)] or list(own)
        if self._only_describes(term):
            common = [found for found in common if not self._is_person(found)]
            if term.text in DESCRIBING - _ALSO_THINGS:
                common = [found for found in common if self._is_quality(found)] or common
        first, last = term.text.partition(" ")[0], term.text.rpartition(" ")[2]
        if " of " in term.text:
            return tuple(_once(common))
        if first != last and first in DESCRIBING - _ALSO_THINGS:
            common = self._described(last, common)
        elif first != last and self._mostly_describes(first):
            common = [found for found in common if not self._is_person(found)] or self._described(last, common)
        return tuple(_once(common))

    def _of(self, text: str, pos: Pos) -> list[Candidate]:
        return [Candidate(synset, text) for synset in self.lexicon.senses(text, pos)]

    def _of_name(self, text: str, own: list[Candidate]) -> list[Candidate]:
        """Senses of a capitalised name: those that WordNet writes so.

        One word alone ("Crane") may be anybody's name, so it stands for no person; for nothing but a place, if people
        of that name are in WordNet.
        """
        if text in self.lexicon.added:
            return own
        names = [found for found in own if self._is_capital(found)]
        if " " in text:
            return names or own
        people = any(self._is_person(found) for found in names)
        return [found for found in names if not people or self.synsets.lexname(found.synset) == "noun.location"]

    def _described(self, last: str, common: list[Candidate]) -> list[Candidate]:
        """Senses of a colour, size or age with a noun: kinds of what the noun names ("polar bear"), else the noun's."""
        nouns = (last, *self.lexicon.singulars(last))
        plain = [found for noun in nouns for found in self.candidates(Term(noun, Role.HEAD))]
        heads = {found.synset for found in plain}
        kinds = [
            found
            for found in common
            if heads & self._ancestors(found.synset) and not self._is_person(found) and not self._is_capital(found)
        ]
        return kinds or [found for found in plain if not self._is_capital(found)] or common

    def _only_describes(self, term: Term) -> bool:
        """True for "white", and for "free" where nothing is counted: such a word stands for no people."""
        return term.text in DESCRIBING or (term.form is Form.PLAIN and self._mostly_describes(term.text))

    def _mostly_describes(self, word: str) -> bool:
        as_adjective = self.lexicon.uses(word, Pos.ADJECTIVE)
        return as_adjective > 0 and as_adjective > self.lexicon.uses(word, Pos.NOUN)

    def _is_capital(self, found: Candidate) -> bool:
        lemmas = self.synsets.lemmas(found.synset)
        return found.lemma not in lemmas and any(lemma.lower() == found.lemma for lemma in lemmas)

    def _is_person(self, found: Candidate) -> bool:
        return self.synsets.lexname(found.synset) in _PEOPLE

    def _is_quality(self, found: Candidate) -> bool:
        return self.synsets.lexname(found.synset) == "noun.attribute"

    def _find_ancestors(self, synset: int) -> frozenset[int]:
        return frozenset({synset}).union(*(self._ancestors(above) for above in self.synsets[synset].hypernyms))

    def _find_slang(self, synset: int) -> bool:
        gloss = self.synsets.gloss(synset)[:_SLANG_WITHIN].lower()
        return any(mark in gloss for mark in _SLANG)

    def _by_themselves(self, term: Term, is_shown: bool, seen: float = 1.0) -> tuple[float, ...]:
        """The sums of `prior`, of `shown` or of all candidates; remembered, as forms and corpora ask the same."""
        candidates = self.shown(term) if is_shown else self.candidates(term)
        return tuple(sum(nats for _, nats in reasons) for reasons in self._weigh(term, candidates, seen))

    def prior(self, term: Term, candidates: Iterable[Candidate], seen: float = 1.0) -> list[list[Part]]:
        """Per candidate, what speaks for it by itself. `seen` in 0 … 1: how far the texts speak of what can be seen."""
        told = self._weigh(term, candidates, seen)
        return [[Part(why, nats) for why, nats in reasons if nats] for reasons in told]

    def _weigh(self, term: Term, candidates: Iterable[Candidate], seen: float) -> list[list[tuple[str, float]]]:
        """What `prior` tells, also what weighs nothing."""
        found = list(candidates)
        counts = [self.lexicon.count(each.lemma, each.synset) for each in found]
        all_counts = sum(counts) + len(found)
        usual = self._usual(term)
        is_decided = any(each.synset in usual for each in found)
        is_counted = term.form in (Form.COUNTED, Form.PLURAL)
        told = []
        for each, count in zip(found, counts, strict=True):
            reasons = [_part_of_use(usual.get(each.synset), seen)] if is_decided else []
            if not is_decided or seen < 1:
                # What a person said is true of captions: as far as the texts are none, WordNet has its say beside it.
                weight = 1 - seen if is_decided else 1.0
                # One use more for each, since few senses are in the tagged texts at all.
                own = self._reasons(term, each, math.log((count + 1) / all_counts), seen)
                reasons += own if weight == 1 else [(why, weight * nats) for why, nats in own]
            if is_counted and self.synsets.lexname(each.synset) in _MASS:
                reasons.append(("cannot be counted", MASS_COUNTED))
            told.append(reasons)
        return told

    def _usual(self, term: Term) -> dict[int, float]:
        """Synset → nats, for the senses that captions mean by a term as far as a person has said so."""
        nats: dict[int, float] = {}
        tiers = self._pins.usual.get(term.text, ())
        if tiers and term.pos is Pos.NOUN and term.form not in _NAMES:
            at = USUAL
            for tier in tiers:
                for number, use in enumerate(tier):
                    nats[use.synset] = at + number * NEXT_USUAL
                at = nats[tier[-1].synset] + RARER
        return nats

    def cues(self, text: str) -> dict[int, tuple[str, ...]]:
        """Synset → the words that tell it from other senses of a noun, as far as a person has said so."""
        return {use.synset: use.cues for tier in self._pins.usual.get(text, ()) for use in tier}

    def _reasons(self, term: Term, found: Candidate, log_share: float, seen: float) -> list[tuple[str, float]]:
        lexname = self.synsets.lexname(found.synset)
        reasons = [(f"a picture shows {lexname}", seen * SEEN.get(lexname, 0.0))]
        reasons.append(("frequent in tagged texts", COUNT * log_share))
        if term.pos is Pos.NOUN and self.synsets.lemmas(found.synset)[0].lower() == found.lemma:
            reasons.append(("the synset's first word", seen * HEADWORD))
        if term.form is Form.PLURAL and found.lemma == term.text:
            reasons.append(("a sense of the plural", OF_PLURAL))
        if term.form not in _NAMES and self._is_capital(found):
            reasons.append(("written with a capital", CAPITAL))
        if self._is_slang(found.synset):
            reasons.append(("slang", SLANG))
        return reasons

    def share_seen(self, text: str, pos: Pos) -> float:
        """How much of a word's use, 0 … 1, is of things to see or deeds to watch, by tagged texts and sense order."""
        senses = self.lexicon.senses(text, pos)
        weights = [self.lexicon.count(text, synset) + 1 / rank for rank, synset in enumerate(senses, 1)]
        shown = [weight for weight, synset in zip(weights, senses, strict=True) if self._can_be_seen(synset)]
        return sum(shown) / sum(weights) if weights else 0.0

    def _can_be_seen(self, synset: int) -> bool:
        return self.synsets.lexname(synset) in _SHOWN


def _part_of_use(usual: float | None, seen: float) -> tuple[str, float]:
    if usual is None:
        return "captions mean other things by it", seen * UNUSUAL
    return "what captions mean by it", seen * usual


def _once(found: Iterable[Candidate]) -> list[Candidate]:
    """Each synset once, where it comes first."""
    first: dict[int, Candidate] = {}
    for candidate in found:
        first.setdefault(candidate.synset, candidate)
    return list(first.values())


class Use(NamedTuple):
    """A sense that captions mean by a word, and other words of a caption that tell that it is meant."""

    synset: int
    cues: tuple[str, ...] = ()


class Pins(NamedTuple):
    """Senses decided by hand.

    pinned: term → the synset it stands for. forbidden: term (or "*" for all) → synsets it never stands for. usual: term
    → what captions mean by it, in tiers: likeliest first, and each tier much rarer than the one before.
    """

    pinned: dict[str, int]
    forbidden: dict[str, frozenset[int]]
    usual: dict[str, tuple[tuple[Use, ...], ...]]
