"""All synsets of WordNet as arrays: read from its files once, then kept in the cache folder and mapped into memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from labelgen.arrays.ragged import Rows, offsets, pack
from labelgen.dictionary import wordnet
from labelgen.dictionary.compiled import compiled, key_of
from labelgen.dictionary.wordnet import Folder, Sense, Synset
from labelshards import storage

RELATIONS = ("hypernyms", "parts", "topics", "derived")


class Synsets(Mapping[int, Synset]):
    """Synset by number; one is unpacked when it is asked for. ids: int64 [n], rising."""

    def __init__(self, arrays: Mapping[str, pa.Array]) -> None:
        self.ids: np.ndarray = arrays["ids"].to_numpy()
        self.names: list[str] = arrays["names"].to_pylist()
        self._glosses = arrays["glosses"]
        self._lemmas: list[str] = arrays["lemmas"].to_pylist()
        self._starts: list[int] = arrays["lemmas.starts"].to_pylist()
        lexnames: list[str] = arrays["lexnames"].to_pylist()
        self._lexname_of: list[str] = [lexnames[file] for file in arrays["lexfiles"].to_pylist()]
        self._is_instance: np.ndarray = arrays["is_instance"].to_numpy(zero_copy_only=False)
        self._related = {name: Rows(arrays[f"{name}.starts"].to_numpy(), arrays[name].to_numpy()) for name in RELATIONS}
        # As Python's numbers, too: to take single ones out of an array is slow.
        self._lists = [(name, *(part.tolist() for part in rows)) for name, rows in self._related.items()]
        self._places = dict(zip(self.ids.tolist(), range(len(self.ids)), strict=True))
        self._unpacked: dict[int, Synset] = {}

    @classmethod
    def of(cls, synsets: Iterable[Synset]) -> "Synsets":
        """Those that are given."""
        return cls(_packed(sorted(synsets)))

    @classmethod
    def load(cls, folder: Folder, senses: Callable[[], Iterable[Sense]] | None = None) -> "Synsets":
        """Those of a WordNet, which is checked when it is read: the first time, and when a file has changed.

        `senses`: what wordnet.read_senses gives of it, where somebody has it. Raises CatlipError like wordnet.verify.
        """
        key = key_of(folder, __name__, wordnet.__name__)
        return cls(compiled("synsets", key, lambda: _packed(sorted(wordnet.verify(folder, senses).values()))))

    def __getitem__(self, number: int) -> Synset:
        found = self._unpacked.get(number)
        if found is None:
            found = self._unpacked[number] = self._unpack(number, self._places[number])
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, number: object) -> bool:
        return number in self._places

    def lexname(self, number: int) -> str:
        """The file of WordNet's lexicographers that a synset stands in, for those who ask nothing else."""
        name: str = self._lexname_of[self._places[number]]
        return name

    def name(self, number: int) -> str:
        """The name of a synset, likewise."""
        return self.names[self._places[number]]

    def lemmas(self, number: int) -> list[str]:
        """The lemmas of a synset, likewise."""
        place = self._places[number]
        return self._lemmas[self._starts[place] : self._starts[place + 1]]

    def gloss(self, number: int) -> str:
        """The gloss of a synset, likewise."""
        text: str = self._glosses[self._places[number]].as_py()
        return text

    def related(self, relation: str) -> Rows:
        """Numbers of the synsets that stand in one of RELATIONS to each, in the order of `ids`."""
        return self._related[relation]

    def digest(self) -> str:
        """Identity of all words and glosses."""
        starts = np.array(self._starts).tobytes()
        spoken = [self.ids.tobytes(), starts, _bytes_of(self._lemmas), _bytes_of(self._glosses.to_pylist())]
        return storage.digest(b"".join(storage.digest(part).encode() for part in spoken))

    def _unpack(self, number: int, place: int) -> Synset:
        related = {name: tuple(values[starts[place] : starts[place + 1]]) for name, starts, values in self._lists}
        return Synset(
            id=number,
            name=self.names[place],
            lemmas=tuple(self.lemmas(number)),
            gloss=self.gloss(number),
            lexname=self._lexname_of[place],
            is_instance=bool(self._is_instance[place]),
            **related,
        )


def _packed(synsets: list[Synset]) -> dict[str, pa.Array]:
    lexnames = {name: code for code, name in enumerate(sorted({each.lexname for each in synsets}))}
    related: dict[str, pa.Array] = {}
    for name in RELATIONS:
        rows = pack(getattr(each, name) for each in synsets)
        related |= {name: pa.array(rows.values), f"{name}.starts": pa.array(rows.starts)}
    return {
        "ids": pa.array([each.id for each in synsets], pa.int64()),
        "names": pa.array([each.name for each in synsets], pa.string()),
        "glosses": pa.array([each.gloss for each in synsets], pa.string()),
        "lemmas": pa.array([lemma for each in synsets for lemma in each.lemmas], pa.string()),
        "lemmas.starts": pa.array(offsets(np.array([len(each.lemmas) for each in synsets], np.int64))),
        "lexnames": pa.array(lexnames, pa.string()),
        "lexfiles": pa.array([lexnames[each.lexname] for each in synsets], pa.uint8()),
        "is_instance": pa.array([each.is_instance for each in synsets], pa.bool_()),
        **related,
    }


def _bytes_of(texts: list[str]) -> bytes:
    return "\n".join(texts).encode()
