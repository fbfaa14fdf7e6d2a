"""WordNet 3.0's nouns as two tables: term → senses, synset → what it is. Read from WordNet's own files in a second.

Synsets are numbered as in WordNet's Prolog files: 100,000,000 + offset for nouns, so that other parts of speech fit in.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from labelshards.errors import CatlipError

NOUN = 100_000_000
VERSION = "3.0"
# SHA-256 over the noun tables' canonical lines (see _digest): Princeton's 3.0, whatever package it came through.
DIGEST = "a4ddce7c6b71c1e1d40c3562051f46cb2c3c8e2108679aaa72f327dc1ddd389e"

_HEAD_OF_3_0 = b"WordNet 3.0 Copyright"
_DOG = NOUN + 2084071

# WordNet's morphy(7): noun endings and what they become, in its order.
_DETACHMENTS = (
    ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
    ("men", "man"), ("ies", "y"),
)  # fmt: skip


class Synset(NamedTuple):
    """One noun synset. `name` is NLTK's (`dog.n.01`), `lemmas` keep WordNet's order and case, with spaces."""

    id: int
    name: str
    lemmas: tuple[str, ...]
    gloss: str
    lexname: str
    hypernyms: tuple[int, ...]

    @property
    def wnid(self) -> str:
        """ImageNet's id: `n` and the offset in eight digits."""
        return f"n{self.id - NOUN:08d}"


class Lexicon:
    """The nouns of WordNet 3.0. Build it once per process with `load`."""

    def __init__(
        self,
        folder: Path | zipfile.Path,
        senses: dict[str, tuple[int, ...]],
        exceptions: dict[str, tuple[str, ...]],
        longest_term_words: int,
    ) -> None:
        self._folder = folder
        self._senses = senses
        self._exceptions = exceptions
        self.longest_term_words = longest_term_words
        self.find = lru_cache(maxsize=200_000)(self._find)

    @classmethod
    def load(cls, folder: Path | zipfile.Path) -> "Lexicon":
        """Read `index.noun` and `noun.exc`. `folder` was checked with `verify`, once, by the process that leads."""
        senses = dict(_index(_lines(folder, "index.noun")))
        # "t-shirt" is also found as "t shirt"; a lemma that is spelt so itself goes first.
        for term in [term for term in senses if "-" in term]:
            senses.setdefault(term.replace("-", " "), senses[term])
        exceptions: dict[str, tuple[str, ...]] = {}
        for line in _lines(folder, "noun.exc"):
            plural, *singulars = (word.replace("_", " ") for word in line.split())
            exceptions[plural] = exceptions.get(plural, ()) + tuple(singulars)
        return cls(folder, senses, exceptions, max(term.count(" ") for term in senses) + 1)

    def senses(self, term: str) -> tuple[int, ...]:
        """Noun synsets of a term (lower case, spaces between words), most frequent sense first; () if there is none."""
        return self._senses.get(term, ())

    def singulars(self, term: str) -> list[str]:
        """Terms that `term` may be the plural of, by WordNet's morphology: its exception list, else its endings."""
        if term in self._exceptions:
            forms: Iterable[str] = self._exceptions[term]
        else:
            forms = (
                term[: -len(end)] + new for end, new in _DETACHMENTS if term.endswith(end) and len(term) > len(end)
            )
        return [form for form in dict.fromkeys(forms) if form != term and form in self._senses]

    def lines(self, name: str) -> Iterator[str]:
        """Records of one of the WordNet files that this lexicon was read from, without their licence."""
        return _lines(self._folder, name)

    def _find(self, surface: str, plural: bool) -> tuple[str, tuple[int, ...]] | None:
        """The term that a surface form stands for, with its senses, or None.

        `surface`: lower case. A plural is looked up as its singular first ("men" is `work_force.n.01`'s own lemma,
        "man" is what the caption means), anything else as it stands first.
        """
        for form in (surface, surface.replace("-", " ")) if "-" in surface else (surface,):
            forms = [*self.singulars(form), form] if plural else [form, *self.singulars(form)]
            for term in forms:
                if term in self._senses:
                    return term, self._senses[term]
        return None


def read_synsets(folder: Path | zipfile.Path) -> dict[int, Synset]:
    """All noun synsets by id, from `data.noun`, named with the help of `index.noun`."""
    senses = dict(_index(_lines(folder, "index.noun")))
    lexnames = [line.split("\t")[1] for line in _lines(folder, "lexnames")]
    synsets: dict[int, Synset] = {}
    for line in _lines(folder, "data.noun"):
        record, _, gloss = line.partition(" | ")
        fields = record.split(" ")
        offset, lexfile, num_words = fields[0], int(fields[1]), int(fields[3], 16)
        lemmas = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * num_words : 2])
        pointers = fields[5 + 2 * num_words :]
        identity = NOUN + int(offset)
        head = lemmas[0].lower()
        number = senses[head].index(identity) + 1
        synsets[identity] = Synset(
            id=identity,
            name=f"{head.replace(' ', '_')}.n.{number:02d}",
            lemmas=lemmas,
            gloss=gloss.strip(),
            lexname=lexnames[lexfile],
            hypernyms=tuple(
                NOUN + int(pointers[i + 1]) for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i")
            ),
        )
    return synsets


def verify(folder: Path | zipfile.Path) -> dict[int, Synset]:
    """All noun synsets of `folder`, after making sure that it is WordNet 3.0. Raises CatlipError if it is not."""
    where = str(folder)
    try:
        head = (folder / "data.noun").read_bytes()[:4096]
        if _HEAD_OF_3_0 not in head:
            raise CatlipError(f"{where} is not WordNet 3.0. {_MEND}")
        synsets = read_synsets(folder)
        digest = _digest(folder, synsets)
    except (OSError, ValueError, LookupError, zipfile.BadZipFile, zlib.error) as error:
        raise CatlipError(f"{where} does not hold readable WordNet files ({error}). {_MEND}") from error
    if _DOG not in synsets or digest != DIGEST:
        raise CatlipError(f"{where} says that it is WordNet 3.0, and its nouns differ from Princeton's. {_MEND}")
    return synsets


def _digest(folder: Path | zipfile.Path, synsets: dict[int, Synset]) -> str:
    """SHA-256 of what labels depend on: senses, exceptions, synsets. Pointers to other parts of speech are left out."""
    sha = hashlib.sha256()
    for name in ("index.noun", "noun.exc"):
        for line in _lines(folder, name):
            sha.update(line.rstrip().encode() + b"\n")
    for synset in synsets.values():
        sha.update(repr(tuple(synset)).encode() + b"\n")
    return sha.hexdigest()


def _lines(folder: Path | zipfile.Path, name: str) -> Iterator[str]:
    """Records of one WordNet file, without its licence (lines that begin with a space)."""
    for line in (folder / name).read_bytes().decode().splitlines():
        if line and not line.startswith(" "):
            yield line


def _index(lines: Iterable[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """`index.noun` → (term, synset ids in sense order)."""
    for line in lines:
        fields = line.split()
        yield fields[0].replace("_", " "), tuple(NOUN + int(offset) for offset in fields[-int(fields[2]) :])


_MEND = "Run `catlip labels setup` and remove or rename that folder."
