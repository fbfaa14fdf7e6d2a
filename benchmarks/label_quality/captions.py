"""Which captions the benchmark labels: those of names, and those that try to reach a class."""

from collections.abc import Iterable, Sequence
from itertools import chain

from benchmarks.label_quality.gold import ObjectName
from benchmarks.label_quality.strings import Finder, words
from benchmarks.label_quality.wordnet import Nouns

CAPTIONS_PER_NAME = 5
NAME_TEMPLATES = ("a photo of {name}", "{name} on a table in a room")
CLASS_TEMPLATES = ("name alone", "photo of", "with a hypernym", "with its gloss")
_LONGEST_TERM = 4

# What a caption calls a person, beside COCO's own word.
PERSON = ("person", "man", "woman", "boy", "girl", "child", "kid", "guy", "lady", "baby")


def captions_of_names(
    names: Sequence[ObjectName], corpora: Iterable[Sequence[Sequence[str]]], nouns: Nouns
) -> list[list[str]]:
    """For each name up to five real captions with it, or with a synonym where it has none itself; [] if there is none.

    The captions are spread evenly over all that there are, one a sample. A caption in which the word is only part of
    a longer term ("polar bear" for bear) says nothing about the name, and a word that two names share ("bow") is
    nobody's.
    """
    owners: dict[str, set[int]] = {}
    for index, name in enumerate(names):
        for word in name.words:
            owners.setdefault(word, set()).add(index)
    finder = Finder({word: [word] for word, whose in owners.items() if len(whose) == 1})
    with_word: dict[str, dict[str, None]] = {}
    for captions in chain.from_iterable(corpora):
        taken: set[str] = set()
        for caption in captions:
            tokens = words(caption)
            for word, start, end in finder.find(caption):
                if word not in taken and not _part_of_longer_term(tokens, start, end, nouns):
                    with_word.setdefault(word, {})[caption] = None
                    taken.add(word)
    chosen = []
    for name in names:
        own, *synonyms = (list(with_word.get(word, ())) for word in name.words)
        found = own or list(dict.fromkeys(chain.from_iterable(synonyms)))
        step = max(1.0, len(found) / CAPTIONS_PER_NAME)
        chosen.append([found[int(at * step)] for at in range(min(CAPTIONS_PER_NAME, len(found)))])
    return chosen


def _part_of_longer_term(tokens: list[str], start: int, end: int, nouns: Nouns) -> bool:
    return any(
        nouns.senses(" ".join(tokens[first:last]))
        for first in range(max(0, end - _LONGEST_TERM), start + 1)
        for last in range(end, min(len(tokens), first + _LONGEST_TERM) + 1)
        if last - first > end - start
    )


def templates_of_name(name: str) -> list[str]:
    """Made-up captions for a name that no real caption has."""
    return [template.format(name=_with_article(name)) for template in NAME_TEMPLATES]


def captions_of_class(synset: str, spellings: Iterable[str], nouns: Nouns) -> dict[str, list[str]]:
    """Template → a caption for each spelling. `spellings`: names beside the synset's own lemmas.

    WordNet 3.0 lacks one of COCO's synsets (`stop_sign.n.01`): its name is tried all the same, without company.
    """
    about = nouns.by_name.get(synset)
    lemmas = list(dict.fromkeys((*spellings, *(about.lemmas if about else ()))))
    tried = {"name alone": lemmas, "photo of": [f"a photo of {_with_article(lemma)}" for lemma in lemmas]}
    if about is None:
        return tried
    kinds = [nouns.by_name[hypernym].lemmas[0] for hypernym in nouns.hypernyms(synset)[:1]]
    gloss = about.gloss.partition('; "')[0]
    return {
        **tried,
        "with a hypernym": [f"{photo}, a kind of {kind}" for photo in tried["photo of"] for kind in kinds],
        "with its gloss": [f"{_with_article(lemma)}: {gloss}" for lemma in lemmas],
    }


def _with_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
