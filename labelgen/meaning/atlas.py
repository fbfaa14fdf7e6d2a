"""WordNet as a map: synsets with names, glosses and what is above and below, and the senses that a term may have.

What looks at a label set needs this and no more of the language; it is read from the cache in a tenth of a second.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelgen import language_data
from labelgen.arrays.ragged import Rows, offsets, pack, spans
from labelgen.dictionary import wordnet
from labelgen.dictionary.compiled import compiled
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning import wordlists
from labelshards.errors import CatlipError

_VERSION = 2  # raise it when the same WordNet and lists give other arrays


class Atlas:
    """The n nouns, verbs and adjectives of WordNet, by place 0 … n-1 in the order of their numbers.

    ids: int64 [n]; glosses, lexnames: string [n]; lemmas: list<string> [n]; hypernyms: Rows of places; instances: bool
    [n], true for single persons and places.
    """

    def __init__(self, arrays: Mapping[str, pa.Array]) -> None:
        self.ids: np.ndarray = arrays["ids"].to_numpy()
        self.glosses: pa.StringArray = arrays["glosses"]
        self.lexnames: pa.StringArray = arrays["lexnames"]
        self.lemmas: pa.ListArray = arrays["lemmas"]
        self.hypernyms = _rows(arrays["hypernyms"])
        self.instances: np.ndarray = arrays["instances"].to_numpy(zero_copy_only=False)
        self._names: pa.StringArray = arrays["names"]
        self._terms: pa.StringArray = arrays["terms"]
        self._senses = _rows(arrays["senses"])
        self._likely: np.ndarray = arrays["likely"].to_numpy()

    @cached_property
    def names(self) -> list[str]:
        """NLTK's names of the synsets, `dog.n.01`."""
        found: list[str] = self._names.to_pylist()
        return found

    @cached_property
    def kinds(self) -> Rows:
        """The places right below each."""
        return self.hypernyms.transposed()

    def places(self, numbers: np.ndarray) -> np.ndarray:
        """int64: where synsets, given by number, stand; -1 where there is none of that number."""
        found = np.minimum(np.searchsorted(self.ids, numbers), len(self.ids) - 1)
        places: np.ndarray = np.where(self.ids[found] == numbers, found, -1)
        return places

    def place_of(self, name: str) -> int | None:
        """Where the synset with this name or ImageNet id stands."""
        place = pc.index(self._names, name).as_py()
        if place >= 0:
            return int(place)
        if name[:1] not in ("n", "v", "a") or not name[1:].isdecimal():
            return None
        place = int(self.places(np.array([wordnet.id_of(name)]))[0])
        return place if place >= 0 else None

    def require(self, name: str) -> int:
        """The same. Raises CatlipError with the synsets that have such a word, if none has the name."""
        place = self.place_of(name)
        if place is None:
            word = name.partition(".")[0].lower().replace("_", " ")
            same = [known for known in self.names if word and known.startswith(f"{word.replace(' ', '_')}.")]
            same += [self.names[each] for each in self.senses(Pos.NOUN, [word]).senses.values.tolist()]
            near = list(dict.fromkeys(same)) or difflib.get_close_matches(
                name, [known for known in self.names if known[:1] == name[:1]], n=5
            )
            hint = f"It has {', '.join(near[:9])}." if near else "Write it like dog.n.01."
            raise CatlipError(f"WordNet 3.0 has no synset {name!r}. {hint}")
        return place

    def places_of(self, names: Iterable[str]) -> list[int]:
        """The same for names that are known to be there."""
        found = [self.place_of(name) for name in names]
        assert None not in found, f"{names} are all in WordNet 3.0"
        return [place for place in found if place is not None]

    def path(self, place: int) -> list[int]:
        """From the root down to a synset, along the first hypernym of each."""
        found = [place]
        while len(above := self.hypernyms.row(found[-1])):
            found.append(int(above[0]))
        return found[::-1]

    def above(self, place: int, most_steps: int | None = None) -> dict[int, int]:
        """A synset and all that stands above it, level by level → the fewest steps up to each, `most_steps` or less."""
        found = {place: 0}
        level = [place]
        for steps in count(1) if most_steps is None else range(1, most_steps + 1):
            level = [above for at in level for above in self.hypernyms.row(at).tolist() if above not in found]
            if not level:
                break
            found.update(dict.fromkeys(level, steps))
        return found

    def below(self, place: int) -> np.ndarray:
        """bool [n]: a synset and all that stands below it."""
        found = np.zeros(len(self.ids), bool)
        level = np.array([place])
        while len(level):
            found[level] = True
            level = self.kinds.expand(level)[1]
            level = np.unique(level[~found[level]])  # a synset may stand below several of them
        return found

    @cached_property
    def _rows_of_terms(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self._terms.to_pylist())}

    def senses(self, pos: Pos, terms: Sequence[str]) -> "Meant":
        """What each of T terms may mean in captions."""
        rows = self._rows_of_terms
        found = np.fromiter((rows.get(f"{pos.letter} {term}", -1) for term in terms), np.int64, len(terms))
        known = found >= 0
        # A term that is unknown, at -1, finds some row; nothing of it is taken.
        starts, lengths = self._senses.starts[found], np.where(known, self._senses.lengths[found], 0)
        values = self._senses.values[spans(starts, lengths)]
        return Meant(Rows(offsets(lengths), values), np.where(known, self._likely[found], 0))


class Meant(NamedTuple):
    """What T terms may mean. senses: a row of places each, likeliest first; likely: int64 [T].

    Where a person judged a term, `likely` is how many of its senses are about as frequent in captions as the first, and
    senses that are not in the row are not meant. Where nobody did, it is 0, and the row has those that can be seen, if
    any can, in WordNet's order.
    """

    senses: Rows
    likely: np.ndarray


def read_atlas() -> Atlas:
    """The atlas of WordNet 3.0, with the senses and terms that are built in. Raises CatlipError without WordNet."""
    lists = wordlists.digest(str(wordlists.BUILT_IN_SENSES), str(wordlists.BUILT_IN_TERMS))
    return Atlas(compiled("atlas", f"{_VERSION}-{wordnet.DIGEST[:16]}-{lists}", _make))


def _make() -> dict[str, pa.Array]:
    folder = language_data.find_wordnet()
    synsets = Synsets.load(folder)
    lexicon = Lexicon.load(folder, wordlists.read_terms(None))
    usual = wordlists.read_senses(None, lexicon, synsets).usual
    things = {number for number in synsets if synsets.lexname(number) in wordnet.THING_NAMES}
    ids = synsets.ids
    ordered = [synsets[number] for number in ids.tolist()]
    terms: list[str] = []
    senses: list[list[int]] = []
    likely: list[int] = []
    for pos in Pos:
        for term in lexicon.terms(pos):
            all_senses = lexicon.senses(term, pos)
            tiers = usual.get(term, ()) if pos is Pos.NOUN else ()
            seen = [each for each in all_senses if each in things] if pos is Pos.NOUN else list(all_senses)
            terms.append(f"{pos.letter} {term}")
            # What a person said, else what can be seen, else all.
            senses.append([use.synset for tier in tiers for use in tier] or seen or list(all_senses))
            likely.append(len(tiers[0]) if tiers else 0)
    return {
        "ids": pa.array(ids),
        "names": pa.array([synset.name for synset in ordered]),
        "glosses": pa.array([synset.gloss for synset in ordered]),
        "lexnames": pa.array([synset.lexname for synset in ordered]),
        "lemmas": pa.array([list(synset.lemmas) for synset in ordered]),
        "hypernyms": _packed(ids, [synset.hypernyms for synset in ordered]),
        "instances": pa.array([synset.is_instance for synset in ordered]),
        "terms": pa.array(terms),
        "senses": _packed(ids, senses),
        "likely": pa.array(likely, pa.int64()),
    }


def _packed(ids: np.ndarray, of_rows: list[tuple[int, ...]] | list[list[int]]) -> pa.ListArray:
    rows = pack(of_rows)
    return pa.ListArray.from_arrays(pa.array(rows.starts, pa.int32()), pa.array(np.searchsorted(ids, rows.values)))


def _rows(lists: pa.ListArray) -> Rows:
    return Rows(offsets(pc.list_value_length(lists).to_numpy()), lists.flatten().to_numpy())
