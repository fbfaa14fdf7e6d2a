"""Senses of lemmas that are no captions: questions of which sense a word has among others."""

from collections.abc import Sequence

import numpy as np

from labelgen.dictionary.wordnet import Pos
from labelgen.inmemory import Labelling
from labelgen.meaning.corpus import Corpus
from labelgen.meaning.policies import NONE, Chooser
from labelgen.meaning.senses import Senses
from labelgen.mentions.terms import Role, Term


class LemmaLabelling(Labelling):
    """A labeler that gives lemmas their senses, too."""

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
        for (term, *_), row, start in zip(asked, rows, offsets.tolist(), strict=False):  # the last one is an end
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
