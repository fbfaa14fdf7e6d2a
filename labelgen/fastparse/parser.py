"""spaCy's tagger, parser and noun chunks at several times spaCy's speed: the same weights, many captions at once.

Words, tags and chunks are those of `nlp.pipe`. What is rare is left to spaCy itself: words that were not met before,
captions in which an arc must be moved after the parse, and words that the attribute ruler treats on their own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelgen.fastparse import tag_chunks
from labelgen.fastparse.arithmetic import product
from labelgen.fastparse.chunks import noun_chunks
from labelgen.fastparse.encoder import Encoder
from labelgen.fastparse.recognise import recognise
from labelgen.fastparse.transitions import Arcs, TransitionParser
from labelgen.fastparse.words import WordTable
from labelgen.parse import Parse, Word

_BLOCK = 64
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

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """A thousand texts or so, in spaCy's `memory_zone`. None is empty; white space in them is single spaces."""
        if len(self._table) > self._max_words:
            self._table.forget()
            self._words.clear()
        rows, lengths = self._table.rows(texts)
        vectors = self._encoder.encode(rows, lengths)
        scores = product(vectors, self._tag_W, _BLOCK)
        scores += self._tag_b
        tags = scores.argmax(axis=1)
        words = list(map(self._words.__getitem__, (rows * len(self._tags) + tags).tolist()))
        ends = np.cumsum(lengths)
        if self._transitions is None:
            chunks = _by_text(tag_chunks.tag_chunks(self._kinds[tags], ends), ends)
        else:
            chunks = self._chunks(self._transitions, rows, tags, vectors, lengths, words)
        starts = (ends - lengths).tolist()
        return [
            Parse(tuple(words[start:end]), tuple(of_text))
            for start, end, of_text in zip(starts, ends.tolist(), chunks, strict=True)
        ]

    def _chunks(
        self,
        transitions: TransitionParser,
        rows: np.ndarray,
        tags: np.ndarray,
        vectors: np.ndarray,
        lengths: np.ndarray,
        words: list[Word],
    ) -> list[list[tuple[int, int]]]:
        """The noun chunks of each text, in words of that text."""
        ends = np.cumsum(lengths)
        arcs = transitions.parse(vectors, lengths)
        found = _by_text(noun_chunks(tags, arcs, self._model.rule), ends)
        rare = self._model.lifted[arcs.labels]
        rare |= self._table.unsure[rows] & self._model.rule.nominal[tags, arcs.labels]
        for number in np.unique(np.searchsorted(ends, np.flatnonzero(rare), side="right")).tolist():
            end, length = int(ends[number]), int(lengths[number])
            found[number] = self._spacys_chunks(words[end - length : end], arcs, end - length)
        return found

    def _spacys_chunks(self, words: list[Word], arcs: Arcs, first: int) -> list[tuple[int, int]]:
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
        for finish in self._nlp.get_pipe("parser").postprocesses:
            finish(doc)
        return [(chunk.start, chunk.end) for chunk in self._nlp.get_pipe("attribute_ruler")(doc).noun_chunks]


def _say_less_of_words(vocab: Any, columns: Sequence[str]) -> None:  # noqa: ANN401
    """Let spaCy find out of a new word only what is read: the columns of the embedding, and what patterns ask for.

    Of its two dozen attributes that is a quarter; whether a word looks like a URL, say, changes no tag and no arc.
    """
    from spacy.attrs import IDS

    read = {IDS[name] for name in (*columns, "LOWER", "IS_SPACE") if name in IDS}
    vocab.lex_attr_getters = {attr: get for attr, get in vocab.lex_attr_getters.items() if attr in read}


class _Words(dict[int, Word]):
    """Row · number of tags + tag → the word. There are few, so that none is made twice."""

    def __init__(self, table: WordTable, tags: Sequence[str]) -> None:
        self._table = table
        self._tags = tags

    def __missing__(self, code: int) -> Word:
        row, tag = divmod(code, len(self._tags))
        word = self[code] = Word(self._table.texts[row], self._tags[tag], self._table.spaced[row])
        return word


def _by_text(chunks: tuple[np.ndarray, np.ndarray], ends: np.ndarray) -> list[list[tuple[int, int]]]:
    """Chunks (first words int64 [C], ends int64 [C], over all texts) → those of each text, in words of that text."""
    firsts, lasts = chunks
    texts = np.searchsorted(ends, firsts, side="right")
    before = np.concatenate([[0], ends])[texts]
    found: list[list[tuple[int, int]]] = [[] for _ in ends]
    for text, first, last in zip(texts.tolist(), (firsts - before).tolist(), (lasts - before).tolist(), strict=True):
        found[text].append((first, last))
    return found
