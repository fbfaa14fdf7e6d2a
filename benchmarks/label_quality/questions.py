"""One labeler with one sense policy before all the questions: it labels, `scores` judges."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol
from unittest.mock import patch

from benchmarks.label_quality import captions, scores
from benchmarks.label_quality.gold import Photo
from benchmarks.label_quality.goldset import GoldSet
from labelgen.arrays.numbers import Numbers
from labelgen.parsing.nouns import ChunkParser
from labelgen.parsing.parse import Parses, Word

Samples = list[tuple[str, ...]]


class Labelling(Protocol):
    """What is asked: a `LemmaLabelling`, or whatever else labels captions."""

    def label(self, samples: Sequence[Sequence[str]]) -> list[set[str]]:
        """Synset names of each sample, from its raw captions; the samples together are the corpus."""

    def choose(self, questions: Sequence[tuple[str, Sequence[str]]]) -> list[str | None]:
        """The sense of each noun lemma among other words; None if WordNet lacks it. Together they are the corpus."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU seconds of parsing and of everything else. `rest_over_parse`: None where nothing was parsed."""

    captions: int
    parse_seconds: float
    rest_seconds: float
    rest_over_parse: float | None


class Questions:
    """The answers of one labeler; each is a result of `scores` and a list of what went wrong, in words."""

    def __init__(self, labelling: Labelling, gold: GoldSet) -> None:
        self._labelling = labelling
        self._gold = gold

    def names(self) -> tuple[dict[str, scores.Senses], list[str]]:
        """Is an object's name given the right sense, alone and in captions?"""
        outcomes: dict[str, list[list[str]]] = {"alone": [], "real": [], "template": []}
        errors = []
        labels = iter(self._beside_coco["names"])
        alone = iter(self._labelling.choose([(word, ()) for name in self._gold.names for word in name.words]))
        for name, real in zip(self._gold.names, self._gold.captions_of_names, strict=True):
            senses = set[str]().union(*(self._gold.nouns.senses(word) for word in name.words))
            chosen = [next(alone) for _ in name.words]
            first = next((synset for synset in chosen if synset is not None), None)
            outcomes["alone"].append([scores.sense_outcome({first} if first else set(), name.synset, senses)])
            of_captions = []
            for caption in real or captions.templates_of_name(name.words[0]):
                given = next(labels)
                of_captions.append(scores.sense_outcome(given, name.synset, senses))
                if of_captions[-1] != "right":
                    instead = " ".join(sorted(given & senses)) or "nothing"
                    errors.append(f"{name.synset}: {instead} | {caption}")
            outcomes["real" if real else "template"].append(of_captions)
        outcomes["in captions"] = outcomes["real"] + outcomes["template"]
        return {group: scores.Senses.of(each) for group, each in outcomes.items()}, errors

    def senseval(self) -> tuple[dict[str, scores.Senses], list[str]]:
        """Is a noun of running text given one of its gold senses?"""
        results, errors = {}, []
        for corpus, instances in self._gold.instances.items():
            outcomes = []
            answers = self._labelling.choose([(instance.lemma, instance.company) for instance in instances])
            for instance, chosen in zip(instances, answers, strict=True):
                right = chosen in instance.synsets
                outcomes.append(["right" if right else "nothing" if chosen is None else "wrong"])
                if not right:
                    expected = " ".join(sorted(instance.synsets))
                    errors.append(f"{corpus} {instance.lemma}: {chosen} and not {expected}")
            results[corpus] = scores.Senses.of(outcomes)
        return results, errors

    def objects(self) -> tuple[dict[str, scores.Categories], list[str]]:
        """Is what captions are labelled with in the picture?"""
        gold = self._gold
        given = self._beside_coco["objects"]
        claimed = [scores.claimed_categories(labels, gold.categories, gold.nouns) for labels in given]
        errors = []
        for labels, claims, photo in zip(given, claimed, gold.photos, strict=True):
            for category in sorted(claims - photo.objects):
                synset = gold.categories[category]
                because = " ".join(sorted(label for label in labels if synset in gold.nouns.upwards(label)))
                errors.append(f"{category} by {because} | {_in_a_line(photo)}")
        return {"COCO photos": scores.score_categories(claimed, gold.mentioned, gold.photos)}, errors

    def classes(self) -> tuple[dict[str, scores.Reached], list[str]]:
        """Does any caption give the class?"""
        results, errors = {}, []
        for name, spellings in self._gold.classes.items():
            tried = [
                (synset, template, caption)
                for synset, own in spellings.items()
                for template, texts in captions.captions_of_class(synset, own, self._gold.nouns).items()
                for caption in texts
            ]
            labels = self._labelling.label([(caption,) for *_, caption in tried])
            given: dict[tuple[str, str], set[str]] = {}
            for (synset, template, _), of_caption in zip(tried, labels, strict=True):
                given.setdefault((synset, template), set()).update(of_caption)
            results[name] = scores.score_reached(given, list(spellings), captions.CLASS_TEMPLATES)
            errors += [f"{name}: {synset}" for synset in results[name].missing]
        return results, errors

    def corpora(self) -> tuple[dict[str, scores.Corpus], list[str]]:
        """What does a corpus come to?"""
        results = {}
        for name, samples in self._gold.corpora.items():
            labels = self._beside_coco["COCO"] if name == "COCO" else self._labelling.label(samples)
            results[name] = scores.score_corpus(labels)
        return results, []

    def hard(self) -> tuple[dict[str, scores.Hard], list[str]]:
        """Are captions with hard words labelled as a person would?"""
        given = self._beside_coco["hard"]
        errors = []
        for labels, gold in zip(given, self._gold.hard, strict=True):
            missing = " ".join("|".join(sorted(names)) for names in gold.right if not names & labels)
            wrong = " ".join(sorted(labels & gold.forbidden))
            if missing or wrong:
                errors.append(f"{gold.caption} | missing: {missing or '-'} | forbidden: {wrong or '-'}")
        return {"captions": scores.score_hard(given, self._gold.hard)}, errors

    def cost(self) -> tuple[dict[str, Cost], list[str]]:
        """What does everything cost beside the parse?"""
        _, cost = self._timed
        return {"COCO": cost}, []

    @cached_property
    def _beside_coco(self) -> dict[str, list[set[str]]]:
        labels, _ = self._timed
        return labels

    @cached_property
    def _timed(self) -> tuple[dict[str, list[set[str]]], Cost]:
        """Labels of COCO's captions and of all captions that are judged one by one, in one call.

        So these are labelled as part of a real corpus, and a policy that learns from the corpus can.
        """
        gold = self._gold
        parts: dict[str, Samples] = {
            "COCO": gold.corpora["COCO"],
            "objects": [photo.captions for photo in gold.photos],
            "names": [
                (caption,)
                for name, real in zip(gold.names, gold.captions_of_names, strict=True)
                for caption in real or captions.templates_of_name(name.words[0])
            ],
            "hard": [(hard.caption,) for hard in gold.hard],
        }
        samples = [sample for part in parts.values() for sample in part]
        self._labelling.label(samples[:1])  # what is loaded on first use is no cost of a caption
        with parse_clock() as parse:
            start = time.process_time()
            labels = iter(self._labelling.label(samples))
            rest = time.process_time() - start - parse.seconds
        cost = Cost(
            captions=sum(map(len, samples)),
            parse_seconds=parse.seconds,
            rest_seconds=rest,
            rest_over_parse=rest / parse.seconds if parse.seconds else None,
        )
        return {name: [next(labels) for _ in part] for name, part in parts.items()}, cost


QUESTIONS = ("names", "senseval", "objects", "classes", "corpora", "hard", "cost")


class Clock:
    """CPU seconds so far."""

    seconds = 0.0


@contextmanager
def parse_clock() -> Iterator[Clock]:
    """Measures what parsing takes, whoever asks for it, while the context lasts."""
    clock = Clock()
    parse_all = ChunkParser.parse_all

    def timed(parser: ChunkParser, texts: Sequence[str], numbers: Numbers[Word]) -> Parses:
        start = time.process_time()
        try:
            return parse_all(parser, texts, numbers)
        finally:
            clock.seconds += time.process_time() - start

    with patch.object(ChunkParser, "parse_all", timed):
        yield clock


def string_match(gold: GoldSet) -> list[str]:
    """The wrong claims of the baseline that takes categories' names in captions as they stand."""
    return [
        f"{category} | {_in_a_line(photo)}"
        for names, photo in zip(gold.mentioned, gold.photos, strict=True)
        for category in sorted(names - photo.objects)
    ]


def _in_a_line(photo: Photo) -> str:
    return " / ".join(" ".join(caption.split()) for caption in photo.captions)
