"""What was labelled against what is right → numbers. Pure functions; names of synsets are NLTK's."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from benchmarks.label_quality.gold import HardCaption, Photo
from benchmarks.label_quality.wordnet import Nouns

THRESHOLDS = (1, 5, 10, 25, 100)


@dataclass(frozen=True, kw_only=True)
class Senses:
    """Outcomes as shares of 1, each name weighing the same however many captions it has."""

    names: int
    right: float
    wrong: float
    nothing: float

    @classmethod
    def of(cls, outcomes: Iterable[Sequence[str]]) -> "Senses":
        """`outcomes`: for each name those of its captions, as `sense_outcome` gives them."""
        each = [Counter(of_name) for of_name in outcomes]
        shares = {
            kind: sum(counts[kind] / counts.total() for counts in each) / len(each) if each else 0.0
            for kind in ("right", "wrong", "nothing")
        }
        return cls(names=len(each), **shares)


def sense_outcome(labels: Set[str], gold: str, senses: Set[str]) -> str:
    """`right`: the gold synset was given; `wrong`: only another of the name's senses was; else `nothing`."""
    if gold in labels:
        return "right"
    return "wrong" if labels & senses else "nothing"


@dataclass(frozen=True, kw_only=True)
class Categories:
    """Categories that labels claim, over photos of which the categories are known.

    `mentioned`: pairs of photo and category that are in the picture and in a caption, as strings; `recalled`: those
    of them that labels claim.
    """

    predicted: int
    right: int
    precision: float
    mentioned: int
    recalled: int
    recall: float


def claimed_categories(labels: Iterable[str], categories: Mapping[str, str], nouns: Nouns) -> set[str]:
    """Categories whose synset, or a kind of it, is among the labels."""
    above = frozenset[str]().union(*(nouns.upwards(label) for label in labels))
    return {category for category, synset in categories.items() if synset in above}


def score_categories(claimed: Sequence[Set[str]], mentioned: Sequence[Set[str]], photos: Sequence[Photo]) -> Categories:
    """Claimed and mentioned categories of each photo against what is in it."""
    predicted = right = named = recalled = 0
    for claims, names, photo in zip(claimed, mentioned, photos, strict=True):
        predicted += len(claims)
        right += len(claims & photo.objects)
        named += len(names & photo.objects)
        recalled += len(claims & names & photo.objects)
    return Categories(
        predicted=predicted,
        right=right,
        precision=right / max(1, predicted),
        mentioned=named,
        recalled=recalled,
        recall=recalled / max(1, named),
    )


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How many classes some caption gives: by the caption that does so first, and which classes none does."""

    classes: int
    reached: int
    by_template: dict[str, int]
    missing: list[str]


def score_reached(
    labels: Mapping[tuple[str, str], Set[str]], classes: Sequence[str], templates: Sequence[str]
) -> Reached:
    """`labels`: (class, template) → all synsets that the class's captions of that template gave."""
    first = {
        synset: next((template for template in templates if synset in labels.get((synset, template), ())), None)
        for synset in classes
    }
    counts = Counter(first.values())
    return Reached(
        classes=len(classes),
        reached=len(classes) - counts[None],
        by_template={template: counts[template] for template in templates},
        missing=[synset for synset, template in first.items() if template is None],
    )


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What a labelled corpus offers to training. `classes`: threshold V → synsets in more than V samples."""

    samples: int
    labelled: float
    labels_per_sample: float
    classes: dict[int, int]


def score_corpus(labels: Sequence[Set[str]]) -> Corpus:
    """`labels`: of each sample, the empty ones too."""
    support = Counter(synset for sample in labels for synset in sample)
    return Corpus(
        samples=len(labels),
        labelled=sum(bool(sample) for sample in labels) / len(labels),
        labels_per_sample=support.total() / len(labels),
        classes={at: sum(count > at for count in support.values()) for at in THRESHOLDS},
    )


@dataclass(frozen=True, kw_only=True)
class Hard:
    """Hand-judged captions: demanded synsets, how many of them were given, and how many forbidden ones were."""

    demanded: int
    found: int
    forbidden: int
    clean: float


def score_hard(labels: Sequence[Set[str]], captions: Sequence[HardCaption]) -> Hard:
    """`clean` is the share of captions with all that is demanded and nothing that is forbidden."""
    found = [sum(bool(given & names) for names in gold.right) for given, gold in zip(labels, captions, strict=True)]
    wrong = [len(given & gold.forbidden) for given, gold in zip(labels, captions, strict=True)]
    clean = [count == len(gold.right) and not bad for count, bad, gold in zip(found, wrong, captions, strict=True)]
    return Hard(
        demanded=sum(len(gold.right) for gold in captions),
        found=sum(found),
        forbidden=sum(wrong),
        clean=sum(clean) / len(captions),
    )
