"""Captions in memory → synset names: the whole way of a label set, without files."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelgen import language_data
from labelgen.dictionary.wordnet import Pos
from labelgen.extract import Extractor, Seconds
from labelgen.labelers import Tools
from labelgen.meaning.corpus import Corpus
from labelgen.meaning.policies import NONE, Chooser
from labelgen.meaning.resolve import make_resolver
from labelgen.meaning.senses import Senses
from labelgen.mentions.terms import Role, Term
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

    def choose(self, questions: Sequence[tuple[str, Sequence[str]]]) -> list[str | None]:
        """For each noun lemma among other words, the name of its sense; None if WordNet lacks the lemma.

        The questions together are the corpus: a lemma with its company is a sample.
        """
        asked = [[self._noun(lemma), *map(self._word, company)] for lemma, company in questions]
        terms = list(dict.fromkeys(term for question in asked for term in question if term is not None))
        numbers = {term: number for number, term in enumerate(terms)}
        corpus = Corpus((term.text, term.pos) for term in terms)
        rows = [sorted({numbers[term] for term in question if term is not None}) for question in asked]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        values = np.array([number for row in rows for number in row], np.int64)
        corpus.add(offsets, values)
        senses = Senses(self.language.lexicon, self.language.synsets, self.language.pins)
        chosen = Chooser(self._choice.senses, senses, terms, corpus).choose(offsets, values)
        answers: list[str | None] = []
        for (term, *_), row, start in zip(asked, rows, offsets.tolist(), strict=False):
            synset = NONE if term is None else int(chosen[start + row.index(numbers[term])])
            answers.append(None if synset == NONE else self.language.synsets[synset].name)
        return answers

    def _noun(self, text: str) -> Term | None:
        found = self.language.lexicon.find(text.lower(), False)
        return None if found is None else Term(found[0], Role.HEAD)

    def _word(self, text: str) -> Term | None:
        """A word of the company under the part of speech that it has more often in tagged texts."""
        lexicon = self.language.lexicon
        uses = {
            role: lexicon.uses(text, pos)
            for role, pos in ((Role.HEAD, Pos.NOUN), (Role.ACTION, Pos.VERB), (Role.ATTRIBUTE, Pos.ADJECTIVE))
        }
        likely = max(uses, key=lambda role: uses[role])
        return Term(text, likely) if uses[likely] else None
