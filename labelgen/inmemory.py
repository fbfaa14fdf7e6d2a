"""Captions in memory → synset names: the whole way of a label set, without files."""

from collections.abc import Sequence

from labelgen import labelers, language_data, stoplist
from labelgen.lexicon import Lexicon, read_synsets
from labelgen.normalize import normalize
from labelgen.nouns import ChunkParser
from labelshards.errors import CatlipError


class Labelling:
    """A labeler with its sense policy, loaded once. Raises CatlipError for one that does not exist."""

    def __init__(self, labeler: str = "noun-chunks", senses: str = "context", **options: object) -> None:
        if (labeler, senses) != ("noun-chunks", "first") or options:
            raise CatlipError(f"There is no labeler {labeler} with the senses {senses}. Try noun-chunks and first.")
        wordnet = language_data.find_wordnet()
        self._lexicon = Lexicon.load(wordnet)
        self._names = {synset.id: synset.name for synset in read_synsets(wordnet).values()}
        self._parser = ChunkParser(language_data.spacy_model())

    def label(self, samples: Sequence[Sequence[str]]) -> list[set[str]]:
        """Synset names of each sample, from its raw captions. The samples together are the corpus."""
        cleaned = [[text for text, _ in map(normalize, captions) if text] for captions in samples]
        chunks = iter(self._parser.chunks([text for texts in cleaned for text in texts]))
        return [
            {
                self._names[label.synset]
                for _ in texts
                for chunk in next(chunks)
                for label in labelers.noun_chunks(chunk, self._lexicon, stoplist.TERMS)
            }
            for texts in cleaned
        ]

    def choose(self, term: str, company: Sequence[str]) -> str | None:
        """The sense of a noun lemma among other words, as a synset name; None if WordNet lacks the lemma."""
        del company  # the first sense is the first in any company
        found = self._lexicon.find(term.lower(), False)
        return None if found is None else self._names[found[1][0]]
