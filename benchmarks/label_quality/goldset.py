"""All gold data in one place, each part read or prepared when it is first asked for."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from benchmarks.label_quality import captions, gold
from benchmarks.label_quality.strings import Finder
from benchmarks.label_quality.wordnet import read_nouns


class GoldSet:
    """What labels are measured against. `data`: the test data's folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.nouns = read_nouns()

    @cached_property
    def names(self) -> list[gold.ObjectName]:
        """LVIS names."""
        return gold.object_names(self._data)

    @cached_property
    def corpora(self) -> dict[str, list[tuple[str, ...]]]:
        """Corpus name → the captions of each sample."""
        return gold.corpora(self._data)

    @cached_property
    def captions_of_names(self) -> list[list[str]]:
        """Real captions of each name."""
        return captions.captions_of_names(self.names, self.corpora.values(), self.nouns)

    @cached_property
    def photos(self) -> list[gold.Photo]:
        """COCO photos with known categories."""
        return gold.coco_photos(self._data)

    @cached_property
    def hard(self) -> list[gold.HardCaption]:
        """The captions judged by hand."""
        return gold.hard_captions()

    @cached_property
    def categories(self) -> dict[str, str]:
        """COCO category → synset."""
        return gold.coco_categories(self._data)

    @cached_property
    def mentioned(self) -> list[set[str]]:
        """The categories that each photo's captions name, as strings."""
        spellings: dict[str, Iterable[str]] = {
            name: captions.PERSON if name == "person" else (name,) for name in self.categories
        }
        finder = Finder(spellings)
        return [{found.name for caption in photo.captions for found in finder.find(caption)} for photo in self.photos]

    @cached_property
    def instances(self) -> dict[str, list[gold.Instance]]:
        """Senseval corpus → its nouns."""
        return {name: gold.noun_instances(self._data, name, self.nouns) for name in ("senseval2", "senseval3")}

    @cached_property
    def classes(self) -> dict[str, dict[str, list[str]]]:
        """Class list → synset → its names beside WordNet's."""
        coco: dict[str, list[str]] = {}
        for name, synset in self.categories.items():
            coco.setdefault(synset, []).append(name)
        return {"ImageNet-1k": {synset: [] for synset in gold.imagenet_classes(self.nouns)}, "COCO": coco}
