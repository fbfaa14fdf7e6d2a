"""The words of a caption → the terms in it: what WordNet is asked for, and in which role it stands."""

import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Pos
from labelgen.mentions.fragments import (
    ADJECTIVE_TAGS,
    AFTER_AN_OPENING,
    HYPHENS,
    NAME_TAGS,
    NOUN_TAGS,
    VERB_TAGS,
    Mender,
)
from labelgen.parsing.parse import Parse, Word


class Role(StrEnum):
    """What a term does in its caption."""

    __hash__ = str.__hash__  # terms are counted by the million, and that of enumerations is slow

    HEAD = "head"
    MODIFIER = "modifier"
    ATTRIBUTE = "attribute"
    ACTION = "action"


_POS_OF = {Role.ATTRIBUTE: Pos.ADJECTIVE, Role.ACTION: Pos.VERB}


class Form(StrEnum):
    """How a noun is written where it says something about the sense. Empty where it does not."""

    __hash__ = str.__hash__

    PLAIN = ""
    COUNTED = "counted"  # "a glass", "two glasses": no material, no colour
    PLURAL = "plural"  # "glasses" is a term of its own, and the plural of another
    NAME = "name"  # "Rose", "Golden Gate Bridge"
    CAPITAL = "capital"  # "a Beetle": with a capital, and no name of a person
    PARTITIVE = "partitive"  # "a group of", "the edge of": it counts or places what follows


class Term(NamedTuple):
    """What is looked up: lower case, the base form, with spaces between words."""

    text: str
    role: Role
    form: Form = Form.PLAIN

    @property
    def pos(self) -> Pos:
        """The part of speech under which it is looked up."""
        return _POS_OF.get(self.role, Pos.NOUN)


class Mention(NamedTuple):
    """A term of a caption. `of`: the term of the head that it modifies, if it does. `surface`: as it is written."""

    term: Term
    surface: str
    of: Term | None = None


class Dropped(NamedTuple):
    """Words that could have been a term, and why they are none."""

    surface: str
    reason: str


_CURLY = "\u2019"
PLURAL_TAGS = frozenset({"NNS", "NNPS"})
_COUNTING_TAGS = frozenset({"CD", "PRP$"})
COUNTING_WORDS = frozenset({"a", "an", "another", "each", "every", "this", "that", "these", "those", "one"})
# Determiners, pronouns and numbers take no part in a term: "the street" is a lemma of Wall Street, "us" is not "u".
NEVER_IN_A_TERM = frozenset({"DT", "PDT", "WDT", "PRP", "PRP$", "WP", "WP$", "EX", "CD"})
# Verbs that help others and show nothing.
_AUXILIARY_TEXT = """
    be have do can could may might must shall should will would get
"""
AUXILIARIES = frozenset(_AUXILIARY_TEXT.split())
# Before "of" these count or place what follows: "a group of", "the edge of". Elsewhere they are nouns like others.
_PARTITIVES_TEXT = """
    amount array assortment back base bit bottom bunch center centre collection combination corner couple dozen
    edge end front group half handful hundred inside kind lot middle mix mixture number outside pair part piece
    plenty portion quantity range rest row search selection series set side sort thousand ton top type variety view
"""
PARTITIVES = frozenset(_PARTITIVES_TEXT.split())


# A term that goes on after "of" ends so many words behind its first chunk: "of", and three more.
REACH = 4


class Phrase(tuple[Mention | Dropped, ...]):
    """What one part of a caption gives; where that part comes again, mostly the same object.

    It is equal to itself alone: that is found out at once, and what was made of it before with it.
    """

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class TermFinder:
    """Finds the terms of parsed captions. What it finds in one does not depend on those before."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.mender = Mender(lexicon)

    def find(self, parse: Parse) -> list[Mention | Dropped]:
        """Chunk by chunk: the head's term, its modifiers and attributes; then adjectives and verbs elsewhere.

        The longest term that WordNet knows wins: "a large polar bear" → polar bear; "a hot dog stand" → stand, with
        hot dog as a modifier; "a bird of prey" → bird of prey.
        """
        return list(chain.from_iterable(self.phrases(parse)))

    def find_in(self, mended: Parse) -> list[Mention | Dropped]:
        """The same of a parse that needs no mending."""
        return list(chain.from_iterable(self.phrases_in(mended)))

    def phrases(self, parse: Parse) -> list[Phrase]:
        """What `find` finds, in pieces: one for each chunk, and each word outside of them."""
        return self.phrases_in(self.mender.mend(parse))

    def phrases_in(self, mended: Parse) -> list[Phrase]:
        """The same of a parse that needs no mending."""
        words, chunks = mended
        found: list[Phrase] = []
        taken = 0
        inside = [False] * len(words)
        for start, end in chunks:
            inside[start:end] = [True] * (end - start)
            opens = start == 0 and end == 1 and _opens(words)
            start = max(start, taken)  # its first words may be in a term across "of"
            if start < end:
                across, phrase = self.part(words, start, end, opens)
                found.append(phrase)
                taken = max(end, across)
        for at, word in enumerate(words):
            if word.tag in VERB_TAGS or (word.tag in ADJECTIVE_TAGS and not inside[at]):
                found.append(self.outside(word))
        return found

    def part(self, words: tuple[Word, ...], start: int, end: int, opens: bool = False) -> tuple[int, Phrase]:
        """(where a term that begins in a chunk and goes on after "of" ends, or 0; what is found in the chunk).

        Of what stands around the chunk only hyphens before it matter, and `REACH` words behind it that begin with "of".
        opens: it is the first word of a caption, which has a capital whatever it is.
        """
        across = self._across(words, start, end)
        return across, Phrase(self._chunk(words, start, end, across, opens))

    def outside(self, word: Word) -> Phrase:
        """What a verb gives, or an adjective outside of chunks."""
        return Phrase(self._action(word) if word.tag in VERB_TAGS else self._attribute(word))

    def before_head(self, word: Word) -> Phrase:
        """What a word before the head gives that is in no term of several; whose head it is remains to be said."""
        return Phrase(self._before((word,), 0, 1))

    def _chunk(
        self, words: tuple[Word, ...], start: int, end: int, across: int, opens: bool
    ) -> Iterator[Mention | Dropped]:
        """One chunk; see `part`."""
        if words[end - 1].tag not in NOUN_TAGS:
            if words[end - 1].tag not in NEVER_IN_A_TERM:
                yield Dropped(_surface(words[start:end]), "its last word is no noun")
            return
        first, head = self._longest(words, start, end, words[start:end], opens)
        if across:
            first = next(at for at in range(start, end) if self._of_term(words[at:across]))
            head = Mention(Term(str(self._of_term(words[first:across])), Role.HEAD), _surface(words[first:across]))
        if head is None:
            yield Dropped(words[end - 1].text.lower(), _why_unknown(words, end - 1))
            return
        if not across and _followed_by_of(words, end) and self.is_partitive(head.term.text):
            head = head._replace(term=head.term._replace(form=Form.PARTITIVE))
        yield head
        yield from self._before(words, start, first, head.term)

    def is_partitive(self, text: str) -> bool:
        """True for "group", and for "lots", which is a term beside "lot"."""
        return not PARTITIVES.isdisjoint((text, *self._lexicon.singulars(text)))

    def _before(
        self, words: tuple[Word, ...], start: int, end: int, head: Term | None = None
    ) -> Iterator[Mention | Dropped]:
        """What stands between `start` and the head's term."""
        while end > start:
            word = words[end - 1]
            if word.tag in ADJECTIVE_TAGS:
                yield from self._attribute(word, head)
            elif word.tag in NOUN_TAGS:
                first, found = self._longest(words, start, end, ())  # what counts in the chunk counts its head
                if found is None:
                    yield Dropped(word.text.lower(), _why_unknown(words, end - 1))
                else:
                    yield Mention(found.term._replace(role=Role.MODIFIER), found.surface, head)
                    end = first
                    continue
            end -= 1

    def _longest(
        self, words: tuple[Word, ...], start: int, end: int, chunk: tuple[Word, ...], opens: bool = False
    ) -> tuple[int, Mention | None]:
        """(where it begins, the longest term that ends before `end`); no term begins before `start`."""
        plural = words[end - 1].tag in PLURAL_TAGS
        for first in self._beginnings(words, start, end):
            span = words[first:end]
            surface = _surface(span)
            if len(surface) == 1:
                continue  # a letter is a mark, not the unit or the element that it may stand for
            found = self._lexicon.find(surface, plural)
            if found is None and len(span) == 2 and span[0].tag in NOUN_TAGS:
                surface = surface.replace(" ", "")  # "sun glasses", "bar stool"
                found = self._lexicon.find(surface, plural)
            if found is not None:
                form = _form(span, plural, chunk, opens)
                text = found[0]
                if plural and surface != text and form is Form.COUNTED and self._lexicon.senses(surface):
                    text, form = surface, Form.PLURAL
                return first, Mention(Term(text, Role.HEAD, form), surface)
        return end, None

    def _beginnings(self, words: tuple[Word, ...], start: int, end: int) -> list[int]:
        """Where everything that may be a term ending before `end` begins, longest first."""
        begin = end
        following = None
        while begin > max(start, end - self._lexicon.longest_term_words):
            word = words[begin - 1]
            if word.tag in NEVER_IN_A_TERM and _ends_a_term(word, following):
                break
            begin -= 1
            following = word
        return [first for first in range(begin, end) if not _is_inside_hyphens(words, first)]

    def chunks(self, parse: Parse) -> list[tuple[str, list[str]]]:
        """(its words, what is looked up for its head until something is found) of each chunk; for explanations."""
        return self.chunks_in(self.mender.mend(parse))

    def chunks_in(self, parse: Parse) -> list[tuple[str, list[str]]]:
        """The same of a parse that needs no mending."""
        told = []
        for start, end in parse.chunks:
            tried = []
            for first in self._beginnings(parse.words, start, end):
                tried.append(_surface(parse.words[first:end]))
                if self._longest(parse.words, first, end, ())[0] == first:
                    break
            told.append((_surface(parse.words[start:end]), tried))
        return told

    def _across(self, words: tuple[Word, ...], start: int, end: int) -> int:
        """Where a term that begins in this chunk and goes on after "of" ends, or 0: "bird of prey"."""
        if not _followed_by_of(words, end):
            return 0
        # The longest first; at `end` stands "of", so a term takes one word more at least.
        for last in range(min(len(words), end + REACH), end + 1, -1):
            if words[last - 1].tag in NOUN_TAGS and any(self._of_term(words[at:last]) for at in range(start, end)):
                return last
        return 0

    def _of_term(self, span: tuple[Word, ...]) -> str | None:
        return self.of_term(_surface(span))

    def of_term(self, surface: str) -> str | None:
        """The term of words with an "of" in them, if it is one that can be seen; the plural is in its first word."""
        first, _, rest = surface.partition(" ")
        for text in (surface, *(f"{singular} {rest}" for singular in self._lexicon.singulars(first))):
            if self._lexicon.is_thing(text):
                return text
        return None

    def _attribute(self, word: Word, head: Term | None = None) -> list[Mention]:
        text = self._lexicon.base(word.text.lower(), Pos.ADJECTIVE)
        return [] if text is None else [Mention(Term(text, Role.ATTRIBUTE), word.text.lower(), head)]

    def _action(self, word: Word) -> list[Mention]:
        text = self._lexicon.base(word.text.lower(), Pos.VERB)
        if text is None or text in AUXILIARIES:
            return []
        return [Mention(Term(text, Role.ACTION), word.text.lower())]


def _form(span: tuple[Word, ...], plural: bool, chunk: tuple[Word, ...], opens: bool) -> Form:
    last = span[-1]
    counted = plural or any(map(is_counting, chunk))
    if last.tag in NAME_TAGS and last.text[:1].isupper():
        determined = opens or counted or any(word.tag == "DT" for word in chunk)
        return Form.CAPITAL if determined and len(span) == 1 else Form.NAME
    return Form.COUNTED if counted else Form.PLAIN


def is_counting(word: Word) -> bool:
    """True for "a", "his" and "four"."""
    return word.tag in _COUNTING_TAGS or word.text.lower() in COUNTING_WORDS


def _ends_a_term(word: Word, following: Word | None) -> bool:
    """True for "the" and "four", which are never in a term; not for the number in "four-poster"."""
    return following is None or following.text not in HYPHENS or word.space_after


def _opens(words: tuple[Word, ...]) -> bool:
    """True for "Blender" in "Blender with a lid": a first word by itself, and nothing that a name would begin."""
    return len(words) > 1 and words[1].tag in AFTER_AN_OPENING


def _followed_by_of(words: tuple[Word, ...], end: int) -> bool:
    return end < len(words) and words[end].text.lower() == "of"


def _is_inside_hyphens(words: tuple[Word, ...], at: int) -> bool:
    """True if a word begins after a hyphen: "a 12-year-old boy" is no old boy."""
    # A hyphen that opens a caption joins nothing.
    return at > 0 and words[at - 1].text in HYPHENS and not words[at - 1].space_after and at > 1


def _why_unknown(words: tuple[Word, ...], at: int) -> str:
    return "part of a hyphenated word" if _is_inside_hyphens(words, at) else "no noun in WordNet"


def _surface(words: tuple[Word, ...]) -> str:
    """Lower-case text of the words with the spaces that stood between them ("t-shirt" and "t - shirt" are one)."""
    if len(words) == 1:
        return plain(words[0].text)
    text = "".join([f"{word.text} " if word.space_after else word.text for word in words])
    return without_loose_hyphens(plain(text.strip()))


def without_loose_hyphens(surface: str) -> str:
    """With hyphens that have spaces around them as others: "t - shirt" → "t-shirt"."""
    return surface.replace(" - ", "-")


def plain(text: str) -> str:
    """In lower case, with straight apostrophes and without accents: WordNet writes "cafe", "creme brulee"."""
    text = text.lower().replace(_CURLY, "'")
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
