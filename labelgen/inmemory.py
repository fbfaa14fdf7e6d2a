"""Captions in memory → synset names: the whole way of a label set, without files."""

from collections.abc import Sequence
from typing import Any

from labelgen import language_data
from labelgen.extract import Extractor, Seconds
from labelgen.labelers import Tools
from labelgen.meaning.resolve import make_resolver
from labelgen.options import Options, choice_for, load_language, settings_for
from labelgen.sources.sample import Sample


class Labelling:
    """A labeler with its sense policy, loaded once. `options`: fields of options.Options."""

    def __init__(self, labeler: str = "noun-chunks", senses: str | None = None, **options: Any) -> None:  # noqa: ANN401
        self._options = Options(sources=[], out="", labeler=labeler, senses=senses, threshold=0, **options)
        self._choice = choice_for(self._options)
        folder, model = language_data.find_wordnet(), language_data.spacy_model()
        self.language = load_language(labeler, self._options.terms, self._options.pins, folder)
        tools = Tools(self.language.lexicon, folder, model, self._options.nouns)
        self._extractor = Extractor(settings=settings_for(self._options, model), tools=tools, folder="")

    def label(self, samples: Sequence[Sequence[str]]) -> list[set[str]]:
        """Synset names of each sample, from its raw captions. The samples together are the corpus."""
        found = (Sample(key=str(number), captions=tuple(captions)) for number, captions in enumerate(samples))
        shard = self._extractor.collect(found, "", Seconds()).mentioned()
        resolver = make_resolver([shard.entries], [shard], self.language, self._choice)
        labels: list[set[str]] = [set() for _ in samples]
        for rows, numbers in resolver.resolve(shard).by_family.values():
            for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
                labels[row].add(self.language.synsets[number].name)
        return labels
