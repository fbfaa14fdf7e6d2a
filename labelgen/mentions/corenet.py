"""The rule of the code published with the paper (CoreNet's `wordnet_tagged_classification.py`), to the letter.

Every word of a caption, whatever its part of speech, goes through NLTK's noun lemmatizer, and is a label if its own
first noun sense is named after it. So "are" (a hundred square metres) and "can" are labels, "photo" is none (its sense
is `photograph.n.01`), and no term has two words. That is how the paper's numbers came about, and why this is kept.

NLTK is meant as it is today (3.9 and later). Under 3.8.1, which that code names, 14 of 80,847 real captions get other
labels: its lemmatizer took endings off until some noun was left ("womens" → "woman"), and its tokenizer left more
quotation marks on words.
"""

import re
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import ftfy

from labelgen.dictionary.wordnet import Folder, lines

# NLTK's noun endings. The lexicon's morphology may learn; this rule stays as it was published.
_ENDINGS = (
    ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
    ("men", "man"), ("ies", "y"),
)  # fmt: skip

# `<.*?>` in linear time: what follows a "<" that is never closed is stepped over at once, and kept.
_TAG = re.compile(r"<[^>\n]*(>?)")

# Text of which NLTK's tokenizer (0.1 ms) takes off no more than a final stop, unless one of the contractions is in it.
_PLAIN = re.compile(r"([a-z0-9 ]*)(\.?)")
_CONTRACTIONS = frozenset({"cannot", "gimme", "gonna", "gotta", "lemme", "wanna"})


class Reading(NamedTuple):
    """What the rule makes of one token. `synset` names the lemma's first noun sense (`dog.n.01`); None: no noun."""

    token: str
    lemma: str
    synset: str | None

    @property
    def is_label(self) -> bool:
        """Whether the sense is named after the lemma itself."""
        return self.synset == f"{self.lemma}.n.01"

    @property
    def outcome(self) -> str:
        """`is_label` and its reason, for people."""
        if self.synset is None:
            return "not a noun in WordNet"
        return "labelled" if self.is_label else f"its first sense is {self.synset}, named after another word"


class CoreNet:
    """The rule over the WordNet in `folder`."""

    def __init__(self, folder: Folder) -> None:
        # Out of WordNet's files, under NLTK's spelling ("new_york"): the lexicon's tables hold more than WordNet does.
        index = map(str.split, lines(folder, "index.noun"))
        # Senses stand last, behind as many signs of pointers as the lemma happens to have.
        self._senses = {lemma: rest[-int(num_senses) :] for lemma, _, num_senses, *rest in index}
        synsets = (line.split(" ", 5) for line in lines(folder, "data.noun"))
        self._heads = {offset: lemma.lower() for offset, _, _, _, lemma, _ in synsets}
        # Where a plural has two lines, NLTK keeps the last.
        self._exceptions = {plural: forms for plural, *forms in map(str.split, lines(folder, "noun.exc"))}
        self._read = lru_cache(maxsize=200_000)(self._reading)
        _, self._tokenize = find_tokenizer()

    def readings(self, caption: str) -> list[Reading]:
        """What becomes of each token of a raw caption, in its order, repeated where it repeats."""
        return [self._read(token) for token in self._tokens(self.clean(caption))]

    def clean(self, caption: str) -> str:
        """The published `caption_preprocessing`. Line feeds go at both ends, and stay (as white space) in between."""
        text = unquote(caption).replace("+", " ")  # in this order, as published: "%2B" is a space, too
        text = _TAG.sub(lambda tag: "" if tag[1] else tag[0], text).strip("\n")
        return ftfy.fix_text(re.sub(" +", " ", text)).strip().lower()

    def _tokens(self, text: str) -> list[str]:
        plain = _PLAIN.fullmatch(text)
        if plain is None or not _CONTRACTIONS.isdisjoint(tokens := plain[1].split()):
            return self._tokenize(text)
        return [*tokens, plain[2]] if plain[2] else tokens

    def _reading(self, token: str) -> Reading:
        lemma = self._lemma(token)
        if lemma not in self._senses:
            return Reading(token, lemma, None)
        first = self._senses[lemma][0]
        head = self._heads[first]
        return Reading(token, lemma, f"{head}.n.{self._senses[head].index(first) + 1:02d}")

    def _lemma(self, token: str) -> str:
        """NLTK's `WordNetLemmatizer.lemmatize`: the shortest noun among the token and its forms, else the token."""
        forms = self._exceptions.get(token)
        if forms is None:
            forms = [token[: -len(end)] + new for end, new in _ENDINGS if token.endswith(end)]
        return min((form for form in (token, *forms) if form in self._senses), key=len, default=token)


def find_tokenizer() -> tuple[str, Callable[[str], list[str]]]:
    """NLTK's `word_tokenize` if its punkt data is installed, else what that does to each sentence, to the whole text.

    Without sentences a stop inside a caption stays with its word ("a dog. a cat" → "dog."), and the word is lost.
    """
    # NLTK takes a second, for all that it imports with it, and no other labeler asks for it.
    from nltk.tokenize import NLTKWordTokenizer, word_tokenize

    try:
        word_tokenize("")
    except (LookupError, zipfile.BadZipFile):  # there is no punkt, or a broken archive of it
        return "treebank", NLTKWordTokenizer().tokenize
    return "punkt", word_tokenize
