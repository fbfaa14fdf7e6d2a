"""WordNet 3.0's own files, read as they are: which terms have which senses, and what each synset is.

Synsets are numbered as in WordNet's Prolog files: 100,000,000 times part of speech + offset.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from labelshards.errors import CatlipError

VERSION = "3.0"
# SHA-256 over what is read here (see _digest): Princeton's 3.0, whatever package it came through.
DIGEST = "7990184a9eb14029414634e9fb3d1993754e93bd001a4093090cef3507dfe4f9"
FILES = (
    "data.noun", "data.verb", "data.adj", "data.adv", "index.noun", "index.verb", "index.adj", "index.adv",
    "noun.exc", "verb.exc", "adj.exc", "adv.exc", "index.sense", "cntlist.rev", "lexnames",
)  # fmt: skip

# Lexicographers' files of what can be seen and touched: animal, artifact, body, food, object, person, plant, substance.
THINGS = frozenset({5, 6, 8, 13, 17, 18, 20, 27})
THING_NAMES = frozenset(
    "noun." + name for name in ("animal", "artifact", "body", "food", "object", "person", "plant", "substance")
)

Folder = Path | zipfile.Path

_HEAD_OF_3_0 = b"WordNet 3.0 Copyright"
_OFFSETS = 100_000_000  # offsets have eight digits
_SATELLITE = "5"  # an adjective that is defined by a likeness to another one
# What labels depend on, and what is therefore checked.
_READ = ("index.sense", "data.noun", "data.verb", "data.adj", "noun.exc", "verb.exc", "adj.exc", "lexnames")
_LINE_END = re.compile(rb"[ \t\r]*\n")


class Pos(IntEnum):
    """Parts of speech that labels come from, by WordNet's numbers."""

    NOUN = 1
    VERB = 2
    ADJECTIVE = 3

    @property
    def file(self) -> str:
        """The ending of its files."""
        return {Pos.NOUN: "noun", Pos.VERB: "verb", Pos.ADJECTIVE: "adj"}[self]

    @property
    def letter(self) -> str:
        """What ImageNet ids, and names of synsets, say for it."""
        return {Pos.NOUN: "n", Pos.VERB: "v", Pos.ADJECTIVE: "a"}[self]


# Told of each class of a large vocabulary, where an enumeration is slow.
_LETTERS = {int(pos): pos.letter for pos in Pos}
_LETTERED = {letter: pos for pos, letter in _LETTERS.items()}
_POINTED = {"n": Pos.NOUN, "v": Pos.VERB, "a": Pos.ADJECTIVE, "s": Pos.ADJECTIVE}


class Synset(NamedTuple):
    """One synset. `name` is NLTK's (`dog.n.01`), `lemmas` keep WordNet's order and case, with spaces.

    `parts`: what it is part, member or substance of, and what is of it; `topics`: the fields in which it is spoken of;
    `derived`: synsets with a word of the same stem ("boxer" and "to box").
    """

    id: int
    name: str
    lemmas: tuple[str, ...]
    gloss: str
    lexname: str
    hypernyms: tuple[int, ...]
    is_instance: bool
    parts: tuple[int, ...]
    topics: tuple[int, ...]
    derived: tuple[int, ...]

    @property
    def pos(self) -> Pos:
        """Its part of speech."""
        return pos_of(self.id)

    @property
    def wnid(self) -> str:
        """ImageNet's id: the part of speech's letter and the offset in eight digits."""
        return wnid_of(self.id)


class Sense(NamedTuple):
    """One line of `index.sense`: the term's sense number `rank` (from 1) is `synset`, tagged `uses` times.

    `lexfile`: the number of the file of its lexicographer, in the order of `lexnames`.
    """

    term: str
    pos: Pos
    synset: int
    rank: int
    uses: int
    lexfile: int


def synset_id(pos: Pos, offset: int) -> int:
    """The number of a synset in this project."""
    return pos * _OFFSETS + offset


def pos_of(synset: int) -> Pos:
    """The part of speech of a synset, by its number."""
    return Pos(synset // _OFFSETS)


def wnid_of(synset: int) -> str:
    """102084071 → `n02084071`."""
    pos, offset = divmod(synset, _OFFSETS)
    return f"{_LETTERS[pos]}{offset:08d}"


def id_of(wnid: str) -> int:
    """`n02084071` → 102084071."""
    return _LETTERED[wnid[0]] * _OFFSETS + int(wnid[1:])


def read_senses(folder: Folder) -> Iterator[Sense]:
    """Senses of all nouns, verbs and adjectives; terms are lower case, with spaces between words."""
    for line in lines(folder, "index.sense"):
        key, offset, rank, count = line.split()
        term, _, kind = key.rpartition("%")  # dog%1:05:00::, part of speech and file
        part = Pos.ADJECTIVE if kind[0] == _SATELLITE else Pos(int(kind[0])) if kind[0] in "123" else None
        if part is not None:  # adverbs give no labels
            identity = synset_id(part, int(offset))
            yield Sense(term.replace("_", " "), part, identity, int(rank), int(count), int(kind[2:4]))


def read_exceptions(folder: Folder, pos: Pos) -> dict[str, tuple[str, ...]]:
    """Irregular forms → base forms ("men" → ("man",))."""
    exceptions: dict[str, tuple[str, ...]] = {}
    for line in lines(folder, f"{pos.file}.exc"):
        form, *bases = (word.replace("_", " ") for word in line.split())
        exceptions[form] = exceptions.get(form, ()) + tuple(bases)  # some forms have two lines
    return exceptions


def read_synsets(folder: Folder, senses: Callable[[], Iterable[Sense]] | None = None) -> dict[int, Synset]:
    """All nouns, verbs and adjectives by id. `senses`: what `read_senses` gives, where somebody has it."""
    ranks = {(sense.term, sense.synset): sense.rank for sense in (senses() if senses else read_senses(folder))}
    lexnames = [line.split("\t")[1] for line in lines(folder, "lexnames")]
    return {synset.id: synset for pos in Pos for synset in _synsets(folder, pos, ranks, lexnames)}


def identity(folder: Folder) -> str | None:
    """Where the files lie, how large they are, and when they were changed; None if one is missing."""
    archive = getattr(getattr(folder, "root", None), "filename", None)
    try:
        files = [Path(str(archive))] if archive else [Path(str(folder), name) for name in _READ]
        return "\n".join(f"{file.absolute()} {(found := file.stat()).st_size} {found.st_mtime_ns}" for file in files)
    except OSError:
        return None


def verify(folder: Folder, senses: Callable[[], Iterable[Sense]] | None = None) -> dict[int, Synset]:
    """All synsets of `folder`, after making sure that it is WordNet 3.0. Raises CatlipError if it is not.

    `senses`: as in `read_synsets`.
    """
    where = str(folder)
    try:
        head = (folder / "data.noun").read_bytes()[:4096]
        if _HEAD_OF_3_0 not in head:
            raise CatlipError(f"{where} is not WordNet 3.0. {_MEND}")
        digest = _digest(folder)
        synsets = read_synsets(folder, senses) if digest == DIGEST else {}
    except (OSError, ValueError, LookupError, zipfile.BadZipFile, zlib.error) as error:
        raise CatlipError(f"{where} does not hold readable WordNet files ({error}). {_MEND}") from error
    if digest != DIGEST:
        raise CatlipError(f"{where} says that it is WordNet 3.0, and its synsets differ from Princeton's. {_MEND}")
    return synsets


def _synsets(folder: Folder, pos: Pos, ranks: dict[tuple[str, int], int], lexnames: list[str]) -> Iterator[Synset]:
    for line in lines(folder, f"data.{pos.file}"):
        record, _, gloss = line.partition(" | ")
        fields = record.split(" ")
        # WordNet counts the words in hexadecimal, the pointers in decimal.
        identity, num_words = synset_id(pos, int(fields[0])), int(fields[3], 16)
        # Adjectives carry marks of where they may stand: "galore(ip)".
        lemmas = tuple(word.partition("(")[0].replace("_", " ") for word in fields[4 : 4 + 2 * num_words : 2])
        start = 5 + 2 * num_words
        pointers = [fields[at : at + 3] for at in range(start, start + 4 * int(fields[start - 1]), 4)]
        head = lemmas[0].lower()
        yield Synset(
            id=identity,
            name=f"{head.replace(' ', '_')}.{fields[2]}.{ranks[head, identity]:02d}",
            lemmas=lemmas,
            gloss=gloss.strip(),
            lexname=lexnames[int(fields[1])],
            hypernyms=_targets(pointers, ("@", "@i")),
            is_instance=any(symbol == "@i" for symbol, _, _ in pointers),
            parts=_targets(pointers, ("#p", "%p", "#m", "%m", "#s", "%s")),
            topics=_targets(pointers, (";c",)),
            derived=_targets(pointers, ("+",)),
        )


def _targets(pointers: list[list[str]], symbols: tuple[str, ...]) -> tuple[int, ...]:
    """Where the pointers of these kinds lead, adverbs left out."""
    found = (synset_id(_POINTED[pos], int(at)) for symbol, at, pos in pointers if symbol in symbols and pos in _POINTED)
    return tuple(dict.fromkeys(found))


def _digest(folder: Folder) -> str:
    """SHA-256 of the files that labels depend on, whatever ends their lines."""
    sha = hashlib.sha256()
    for name in _READ:
        sha.update(_LINE_END.sub(b"\n", (folder / name).read_bytes()))
    return sha.hexdigest()


def lines(folder: Folder, name: str) -> Iterator[str]:
    """Records of one WordNet file, without its licence (lines that begin with a space)."""
    for line in (folder / name).read_bytes().decode().splitlines():
        if line and not line.startswith(" "):
            yield line


_MEND = "Run `catlip labels setup` and remove or rename that folder."
