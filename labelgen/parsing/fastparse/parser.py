"""spaCy's tagger, parser and noun chunks at several times spaCy's speed: the same weights, many captions at once.

Words, tags and chunks are those of `nlp.pipe`. What is rare is left to spaCy itself: words that were not met before,
captions in which an arc must be moved after the parse, and words that the attribute ruler treats on their own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelgen.arrays.memory import NumberMemory
from labelgen.arrays.numbers import Numbers
from labelgen.parsing.fastparse import tag_chunks
from labelgen.parsing.fastparse.arithmetic import product
from labelgen.parsing.fastparse.chunks import noun_chunks
from labelgen.parsing.fastparse.encoder import Encoder
from labelgen.parsing.fastparse.recognise import recognise
from labelgen.parsing.fastparse.transitions import Arcs, TransitionParser
from labelgen.parsing.fastparse.words import WordTable
from labelgen.parsing.parse import Parses, Word

_BLOCK = 64  # rows of the tagger's products; see arithmetic.product
# Distinct words, with and without a space behind them, after which all are forgotten; each takes 4.2 KB.
_MAX_WORDS = 40_000


class FastParser:
    """A loaded spaCy pipeline with tagger, parser and attribute ruler. Raises UnknownModelError for a strange one.

    with_arcs: whether the chunks are spaCy's. Otherwise they are told from tags alone (tag_chunks.py).
    """

    def __init__(self, nlp: Any, *, with_arcs: bool, max_words: int = _MAX_WORDS) -> None:  # noqa: ANN401
        model = recognise(nlp)
        _say_less_of_words(nlp.vocab, model.columns)
        self._nlp = nlp
        self._max_words = max_words
        self._tags = model.tags
        self._tag_W, self._tag_b = model.tag_W, model.tag_b
        self._encoder = Encoder(model.encoder)
        self._table = WordTable(nlp.tokenizer, model.columns, self._encoder, model.unsure)
        self._words = _Words(self._table, model.tags)
        self._model = model
        self._transitions = TransitionParser(model.parser) if with_arcs else None
        self._kinds = tag_chunks.kinds(model.tags)

    def parse_all(self, texts: Sequence[str], numbers: Numbers[Word]) -> Parses:
        """A thousand texts or so, in spaCy's `memory_zone`. None is empty; white space in them is single spaces."""
        if len(self._table) > self._max_words:
            self._table.forget()
            self._words.forget()
        rows, lengths = self._table.rows(texts)
        vectors = self._encoder.encode(rows, lengths)
        scores = product(vectors, self._tag_W, _BLOCK)
        scores += self._tag_b
        tags = scores.argmax(axis=1)  # spaCy's softmax would change no maximum
        words = self._words.in_numbers(numbers, rows, tags)
        ends = np.cumsum(lengths)
        if self._transitions is None:
            chunks = np.stack(tag_chunks.tag_chunks(self._kinds[tags], ends), axis=1)
        else:
            arcs = self._transitions.parse(vectors, lengths)
            chunks = np.stack(noun_chunks(tags, arcs, self._model.rule), axis=1)
            rare = self._model.lifted[arcs.labels]
            rare |= self._table.unsure[rows] & self._model.rule.nominal[tags, arcs.labels]
            for text in np.unique(np.searchsorted(ends, np.flatnonzero(rare), side="right")).tolist():
                own = slice(int(ends[text] - lengths[text]), int(ends[text]))
                chunks = self._with_spacys(chunks, own, [numbers.known[number] for number in words[own]], arcs)
        of_texts = np.searchsorted(ends, chunks[:, 0], side="right")
        return Parses(words, ends, chunks, np.cumsum(np.bincount(of_texts, minlength=len(ends))))

    def _with_spacys(self, chunks: np.ndarray, own: slice, words: Sequence[Word], arcs: Arcs) -> np.ndarray:
        """int64 [C, 2]: `chunks`, but those of one text, the words from `own`, as spaCy makes them of its arcs."""
        before, after = chunks[chunks[:, 0] < own.start], chunks[chunks[:, 0] >= own.stop]
        spacys = np.array(self._spacys_chunks(words, arcs, own.start), np.int64).reshape(-1, 2)
        return np.concatenate([before, spacys + own.start, after])

    def _spacys_chunks(self, words: Sequence[Word], arcs: Arcs, first: int) -> list[tuple[int, int]]:
        """The noun chunks of one text out of its arcs, those from `first` on: as spaCy goes on from there."""
        from spacy.tokens import Doc

        labels = (*self._model.labels, "ROOT")
        own = slice(first, first + len(words))
        doc = Doc(
            self._nlp.vocab,
            words=[word.text for word in words],
            spaces=[word.space_after for word in words],
            tags=[word.tag for word in words],
            heads=(arcs.heads[own] - first).tolist(),
            deps=[labels[label] for label in arcs.labels[own].tolist()],
        )
        for finish in self._nlp.get_pipe("parser").postprocesses:  # they attach lifted arcs anew
            finish(doc)
        return [(chunk.start, chunk.end) for chunk in self._nlp.get_pipe("attribute_ruler")(doc).noun_chunks]


def _say_less_of_words(vocab: Any, columns: Sequence[str]) -> None:  # noqa: ANN401
    """Let spaCy find out of a new word only what is read: the columns of the embedding, and what patterns ask for.

    Of its two dozen attributes that is a quarter; whether a word looks like a URL, say, changes no tag and no arc.
    """
    from spacy.attrs import IDS

    read = {IDS[name] for name in (*columns, "LOWER", "IS_SPACE") if name in IDS}
    vocab.lex_attr_getters = {attr: get for attr, get in vocab.lex_attr_getters.items() if attr in read}


class _Words:
    """Rows of the table, with tags → words, by the numbers that somebody gives them."""

    def __init__(self, table: WordTable, tags: Sequence[str]) -> None:
        self._table = table
        self._tags = tags
        self._numbers = Numbers[Word]()
        self.forget()

    def forget(self) -> None:
        """Rows mean something else from now on."""
        self._known = NumberMemory(self._number)

    def in_numbers(self, numbers: Numbers[Word], rows: np.ndarray, tags: np.ndarray) -> np.ndarray:
        """int64 [N]: the words with these rows and tags, int64 [N] both."""
        if numbers is not self._numbers:
            self._numbers = numbers
            self.forget()
        return self._known.look_up(rows * len(self._tags) + tags)

    def _number(self, code: int) -> int:
        row, tag = divmod(code, len(self._tags))
        return self._numbers[Word(self._table.texts[row], self._tags[tag], self._table.spaced[row])]
