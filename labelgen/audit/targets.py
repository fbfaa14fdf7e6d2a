"""Lists of classes that an encoder is to be measured on: ImageNet's, Places365's, COCO's, or a person's own file."""

import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelgen import language_data
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Pos, id_of
from labelgen.meaning import wordlists
from labelgen.meaning.atlas import Atlas
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.matching import plain

_OWN = Path(__file__).parent / "lists"
# Names → files of their own, or of timm's, which lists ImageNet's classes as wnids.
BUILT_IN = {"places365": "places365.txt", "coco": "coco.txt"}
FROM_TIMM = {"imagenet-1k": "imagenet_synsets.txt", "imagenet-21k": "imagenet21k_goog_synsets.txt"}
NAMES = (*FROM_TIMM, *BUILT_IN)

_WNID = re.compile(r"n\d{8}")
_SYNSET = re.compile(r"\S+\.[nvas]\.\d\d")
_MOST_WORDS = 12  # of a term; WordNet's longest has nine


class Target(NamedTuple):
    """A class of such a list: its name, and the places of the synsets that it may be, likeliest first.

    steps: how far below those synsets it stands; 1 where WordNet has only its last word ("auto showroom": showroom).
    """

    name: str
    places: tuple[int, ...]
    steps: int = 0


def read_targets(against: str, atlas: Atlas) -> list[Target]:
    """The classes of a list by name (NAMES), or of a file: a name, an ImageNet id or a synset a line.

    A line may name its synsets behind a tab; `#` begins a comment line, commas part synonyms. A name takes the senses
    that captions mean by it. Raises CatlipError if the list or a line of it cannot be read.
    """
    if against in FROM_TIMM:
        wnids = (_timm_folder() / FROM_TIMM[against]).read_text().split()
        places = atlas.places(np.array([id_of(wnid) for wnid in wnids], np.int64)).tolist()
        return [_of_place(wnid, place, atlas) for wnid, place in zip(wnids, places, strict=True)]
    where = str(_OWN / BUILT_IN[against]) if against in BUILT_IN else against
    names = _Names(atlas)
    found = [names.target(line, synsets, at) for at, line, synsets in _lines(where)]
    if not found:
        raise CatlipError(f"{against} names no class. It wants a class name or an ImageNet id a line.")
    return found


def find_targets(names: Sequence[str], atlas: Atlas) -> list[Target]:
    """The same for names that some data gives its classes; one that WordNet has not is a target without places."""
    known = _Names(atlas)
    return [
        Target(name, tuple(place for place in [atlas.place_of(name)] if place is not None))
        if _WNID.fullmatch(name) or _SYNSET.fullmatch(name)
        else known.target(name, "", "")
        for name in names
    ]


def _lines(where: str) -> Iterator[tuple[str, str, str]]:
    """(where it stands, the name, what stands behind a tab) of each line that says something."""
    try:
        text = storage.read_bytes(where).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise CatlipError(
            f"There is no list {where!r}. Lists: {', '.join(NAMES)}; or a file with a class name or ImageNet id a line."
        ) from error
    except UnicodeDecodeError as error:
        raise CatlipError(f"{where} is not UTF-8 ({error}). Save it as UTF-8.") from error
    for number, line in enumerate(text.splitlines(), 1):
        name, _, synsets = line.partition("\t")
        if name.strip() and not name.lstrip().startswith("#"):
            yield f"{where}, line {number}", name.strip(), synsets.strip()


def _timm_folder() -> Path:
    """Where timm's lists lie. Its package is found, and not imported: that would load torch."""
    spec = importlib.util.find_spec("timm")
    for root in spec.submodule_search_locations or () if spec else ():
        folder = Path(root, "data", "_info")
        if folder.is_dir():
            return folder
    raise CatlipError(
        "ImageNet's lists of classes come with timm, which is not here: pip install timm, or give a file with an "
        "ImageNet id a line."
    )


def _of_place(name: str, place: int, atlas: Atlas) -> Target:
    if place < 0:
        return Target(name, ())
    return Target(f"{name} {atlas.lemmas[place].as_py()[0]}", (place,))


class _Names:
    """Names → synsets, as captions mean them."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas

    @cached_property
    def _lexicon(self) -> Lexicon:
        """Read only where there are names to be looked up."""
        return Lexicon.load(language_data.find_wordnet(), wordlists.read_terms(None))

    def target(self, name: str, synsets: str, where: str) -> Target:
        """The class of one line. `synsets`: those that it names itself, or "". Raises CatlipError that says where."""
        if not synsets and (_WNID.fullmatch(name) or _SYNSET.fullmatch(name)):
            return _of_place(name, self._place(name, where), self._atlas)
        if synsets:
            return Target(name, tuple(self._place(each, where) for each in re.split(r"[\s,]+", synsets)))
        words = [plain(word) for word in name.split(",")]
        for form in (*words, *self._qualified(name)):
            if found := self._senses(form):
                return Target(name, found)
        for form in (*words, *self._qualified(name)):
            parts = form.split()
            # Endings first, from the longest on: the last word of a name says what it is, the first ones which.
            lengths = range(min(len(parts) - 1, _MOST_WORDS), 0, -1)
            for part in (*(parts[-length:] for length in lengths), *(parts[:length] for length in lengths)):
                if found := self._senses(" ".join(part)):
                    return Target(name, found, steps=1)
        return Target(name, ())

    def _place(self, name: str, where: str) -> int:
        try:
            return self._atlas.require(name)
        except CatlipError as error:
            raise CatlipError(f"{where}: {error}") from error

    def _senses(self, form: str) -> tuple[int, ...]:
        """Places of what captions mean by a term: those about as frequent as the first, or else that one alone."""
        found = self._lexicon.find(form, False)
        if found is None:
            return ()
        meant = self._atlas.senses(Pos.NOUN, [found[0]])
        return tuple(meant.senses.row(0)[: max(1, int(meant.likely[0]))].tolist())

    def _qualified(self, name: str) -> list[str]:
        """`arena/hockey` → "hockey arena", "arena"."""
        noun, slash, qualifier = name.partition("/")
        return [plain(f"{qualifier} {noun}"), plain(noun)] if slash else []
