"""Readers of the gold data, as it lies in the test data's folder. Nothing is judged here."""

import json
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from benchmarks.label_quality.wordnet import Nouns

ROOT = Path(__file__).parents[2]


class ObjectName(NamedTuple):
    """An everyday object's name with its synonyms (the name first) and the synset that it means."""

    words: tuple[str, ...]
    synset: str


class Instance(NamedTuple):
    """A noun in a sentence: its lemma, the other words' lemmas, and the synsets that a person judged right."""

    lemma: str
    company: tuple[str, ...]
    synsets: frozenset[str]


class Photo(NamedTuple):
    """A photo's captions and the COCO categories that are in the picture."""

    captions: tuple[str, ...]
    objects: frozenset[str]


class HardCaption(NamedTuple):
    """A caption judged by hand; each item of `right` is a set of synsets of which one must be given."""

    caption: str
    right: tuple[frozenset[str], ...]
    forbidden: frozenset[str]


def object_names(data: Path) -> list[ObjectName]:
    """LVIS names. "bow_(weapon)" is the word "bow"; synonyms that need such a remark are left out."""
    entries = json.loads((data / "gold/lvis-names-dev.json").read_text())
    return [
        ObjectName(
            tuple(dict.fromkeys(_plain(word) for word in (entry["name"], *_unremarked(entry["synonyms"])))),
            entry["synset"],
        )
        for entry in entries
    ]


def _unremarked(synonyms: list[str]) -> list[str]:
    return [word for word in synonyms if "(" not in word]


def _plain(word: str) -> str:
    return word.partition("_(")[0].replace("_", " ").lower()


def noun_instances(data: Path, corpus: str, nouns: Nouns) -> list[Instance]:
    """Nouns of `senseval2` or `senseval3`, in Raganato's format, in the order of the text."""
    keys = {
        instance: frozenset(nouns.by_sense_key[key] for key in senses if key in nouns.by_sense_key)
        for instance, *senses in map(str.split, (data / f"gold/{corpus}.gold.key.txt").read_text().splitlines())
    }
    found = []
    for sentence in ElementTree.parse(data / f"gold/{corpus}.data.xml").iter("sentence"):
        lemmas = [word.get("lemma", "").replace("_", " ") for word in sentence]
        for position, word in enumerate(sentence):
            if word.tag == "instance" and word.get("pos") == "NOUN":
                others = lemmas[:position] + lemmas[position + 1 :]
                company = tuple(lemma for lemma in others if lemma[:1].isalpha())
                found.append(Instance(lemmas[position], company, keys[word.get("id", "")]))
    return found


def coco_categories(data: Path) -> dict[str, str]:
    """COCO's 80 category names → synset names."""
    entries = json.loads((data / "gold/coco-to-synset.json").read_text())
    return {name: entry["synset"] for name, entry in entries.items()}


def imagenet_classes(nouns: Nouns) -> list[str]:
    """The synsets of ImageNet-1k, in its order, from the list that timm carries."""
    timm = find_spec("timm")  # importing it would bring torch along
    assert timm is not None, "the train half is installed"
    wnids = Path(str(timm.origin)).with_name("data").joinpath("_info/imagenet_synsets.txt").read_text().split()
    return [nouns.by_wnid[wnid].name for wnid in wnids]


def coco_photos(data: Path) -> list[Photo]:
    """The COCO photos of which it is known which categories are in them."""
    return [
        Photo(tuple(fields["captions"]), frozenset(fields["objects"]))
        for fields in _members(data / "coco-captions-objects.tar")
        if fields["objects"] is not None
    ]


def corpora(data: Path) -> dict[str, list[tuple[str, ...]]]:
    """Corpus name → the captions of each sample."""
    coco: dict[int, list[str]] = {}
    for annotation in json.loads((data / "coco-captions-val2017.json").read_text())["annotations"]:
        coco.setdefault(annotation["image_id"], []).append(annotation["caption"])
    return {
        "COCO": [tuple(captions) for captions in coco.values()],
        "Flickr8k": [
            tuple(fields["captions"])
            for tar in sorted((data / "flickr8k/train").glob("*.tar"))
            for fields in _members(tar)
        ],
        "CC3M-val": [(line.partition("\t")[0],) for line in (data / "cc3m-val.tsv").read_text().splitlines()],
    }


def hard_captions() -> list[HardCaption]:
    """The captions with hard words that the tests keep."""
    entries = json.loads((ROOT / "tests/labelgen/golden/hard_captions.json").read_text())
    return [
        HardCaption(
            entry["caption"],
            tuple(frozenset(names.split("|")) for names in entry["right"]),
            frozenset(entry["forbidden"]),
        )
        for entry in entries
    ]


def _members(tar: Path) -> Iterator[dict[str, Any]]:
    """The JSON members of a tar."""
    with tarfile.open(tar) as archive:
        for member in archive:
            if member.name.endswith(".json"):
                content = archive.extractfile(member)
                assert content is not None, "a JSON member is a file"
                yield json.load(content)
