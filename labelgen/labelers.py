"""The labelers by name: what of a caption becomes a term. Which sense a term has is decided later (policies.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labelgen.arrays.memory import Memory
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Folder
from labelgen.distill.labeler import Distilled
from labelgen.distill.weights import Weights
from labelgen.meaning import policies
from labelgen.mentions.corenet import CoreNet, Reading
from labelgen.mentions.pos_nouns import pos_noun
from labelgen.mentions.reader import Captions, Labeler, Reader
from labelgen.mentions.terms import Dropped, Mention, Phrase, Role, Term, TermFinder
from labelgen.parsing.nouns import CHUNKS, DISTILLED, TAGS, ChunkParser
from labelgen.parsing.parse import Parse, Word

DEFAULT = "noun-chunks"


class Tools(NamedTuple):
    """What labelers are made of: the lexicon, the WordNet folder that it came from, the name of a spaCy model.

    nouns: where noun chunks come from (nouns.NOUNS), for the labeler that has them; weights: with DISTILLED, what was
    learnt.
    """

    lexicon: Lexicon
    folder: Folder
    model: str
    nouns: str = CHUNKS
    weights: Weights | None = None


class Kind(NamedTuple):
    """A labeler and what goes with it where nothing else is asked for.

    senses: its policy. meta_words: whether words about the picture are labels. parses: whether it uses spaCy; one that
    does not is the published rule, in which only WordNet's own terms count.
    """

    make: Callable[[Tools], Labeler]
    senses: str
    meta_words: bool
    parses: bool


class NounChunks:
    """Terms inside spaCy's noun chunks, and the adjectives and verbs of the caption."""

    def __init__(self, tools: Tools) -> None:
        # It brings numba with it, which only those need who parse.
        from labelgen.mentions.parts import Parts

        self._parser = ChunkParser(tools.model, tools.nouns)
        self._finder = TermFinder(tools.lexicon)
        self.reader: Reader = Parts(self._parser, self._finder)

    @property
    def slow(self) -> str | None:
        """Of the parser."""
        return self._parser.slow

    def parse(self, captions: Captions) -> list[Parse]:
        """spaCy's parses of the clean texts."""
        return self._parser.parse(captions.texts)

    def phrases(self, parsed: Parse) -> list[Phrase]:
        """See terms.py."""
        return self._finder.phrases(parsed)

    def chunks(self, parsed: Parse) -> list[tuple[str, list[str]]]:
        """Chunks as they were mended, with the terms tried, longest first."""
        return self._finder.chunks(parsed)


class PosNouns:
    """The paper's equation 1: every word that is tagged as a noun, by itself."""

    reader = None

    def __init__(self, tools: Tools) -> None:
        self._parser = ChunkParser(tools.model, TAGS)  # it reads tags alone
        self._lexicon = tools.lexicon
        self._phrases: Memory[Word, Phrase] = Memory(self._phrase)

    @property
    def slow(self) -> str | None:
        """Of the parser."""
        return self._parser.slow

    def parse(self, captions: Captions) -> list[Parse]:
        """spaCy's parses of the clean texts."""
        return self._parser.parse(captions.texts)

    def phrases(self, parsed: Parse) -> list[Phrase]:
        """See pos_nouns.py."""
        return [self._phrases[word] for word in parsed.words]

    def _phrase(self, word: Word) -> Phrase:
        term = pos_noun(word, self._lexicon)
        return Phrase([] if term is None else [Mention(Term(term, Role.HEAD), word.text.lower())])

    def chunks(self, parsed: Parse) -> list[tuple[str, list[str]]]:
        """None: words stand alone."""
        del parsed
        return []


class Published:
    """The published code's rule; it reads the raw caption and needs no parse."""

    reader = slow = None

    def __init__(self, tools: Tools) -> None:
        self._rule = CoreNet(tools.folder)
        self._phrases: Memory[Reading, Phrase] = Memory(_phrase_of)

    def parse(self, captions: Captions) -> list[str]:
        """The raw captions: the rule has its own way to clean them."""
        return captions.raw

    def phrases(self, parsed: str) -> list[Phrase]:
        """See corenet.py."""
        return [self._phrases[reading] for reading in self._rule.readings(parsed)]

    def chunks(self, parsed: str) -> list[tuple[str, list[str]]]:
        """None: words stand alone."""
        del parsed
        return []


def _phrase_of(reading: Reading) -> Phrase:
    if reading.is_label:
        return Phrase([Mention(Term(reading.lemma.replace("_", " "), Role.HEAD), reading.token)])
    return Phrase([Dropped(reading.token, reading.outcome)])


def _noun_chunks(tools: Tools) -> Labeler:
    if tools.nouns != DISTILLED:
        return NounChunks(tools)
    assert tools.weights is not None, "a table is learnt before a labeler is made of it"
    return Distilled(tools.lexicon, tools.weights)


KINDS = {
    DEFAULT: Kind(_noun_chunks, senses=policies.CONTEXT, meta_words=False, parses=True),
    "pos-nouns": Kind(PosNouns, senses=policies.FIRST, meta_words=True, parses=True),
    "corenet": Kind(Published, senses=policies.FIRST, meta_words=True, parses=False),
}
NAMES = tuple(KINDS)


def compile_loops(model: str) -> Path | None:
    """Compile what the parse of captions is compiled of, unless that was done; the folder that keeps it, if one can."""
    ChunkParser(model).parse(["A man in a red hat rides his brown horse along the beach."])
    from labelgen.arrays import native
    from labelgen.mentions import mending

    mending.compile_rules()
    return native.folder() if any(native.folder().rglob("*.nbi")) else None  # numba's index of what it kept
