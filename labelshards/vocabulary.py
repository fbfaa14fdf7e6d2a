"""The vocabulary: the ordered synsets that were kept. A synset's position is its class id."""

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelshards import parquet, storage
from labelshards.errors import LabelSetError
from labelshards.schema import VOCABULARY


class Vocabulary:
    """Classes 0 … K-1, by falling support. Columns: schema.VOCABULARY."""

    def __init__(self, table: pa.Table) -> None:
        ids = table["class_id"].to_numpy()
        if not np.array_equal(ids, np.arange(len(ids))):
            raise LabelSetError("The vocabulary's class ids are not 0 … K-1 in order. Build the label set again.")
        if len(table) and not pc.min(pc.list_value_length(table["lemmas"])).as_py():
            raise LabelSetError("The vocabulary has a class without a name. Build the label set again.")
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def families(self) -> list[str]:
        """The family of each class (schema.FAMILIES), by class id."""
        return self._strings("family")

    @cached_property
    def wnids(self) -> list[str]:
        """ImageNet ids, `n02084071`, by class id; a compound has two, joined by `+`."""
        return self._strings("wnid")

    @cached_property
    def synsets(self) -> list[str]:
        """WordNet names, `dog.n.01`, by class id."""
        return self._strings("synset")

    @cached_property
    def lemmas(self) -> list[list[str]]:
        """The words of each synset, by class id; the first one names it."""
        values: list[list[str]] = self.table["lemmas"].to_pylist()
        return values

    @cached_property
    def names(self) -> list[str]:
        """What a person calls each class, its first word, by class id."""
        return [lemmas[0].replace("_", " ") for lemmas in self.lemmas]

    @cached_property
    def glosses(self) -> list[str]:
        """WordNet's definition of each synset, by class id."""
        return self._strings("gloss")

    @cached_property
    def descriptions(self) -> list[str]:
        """What each class is, for people: `dog, domestic dog: a member of the genus Canis …`, by class id."""
        return [f"{', '.join(lemmas)}: {gloss}" for lemmas, gloss in zip(self.lemmas, self.glosses, strict=True)]

    @cached_property
    def support(self) -> np.ndarray:
        """int64 [K]: in how many samples each class occurs."""
        values: np.ndarray = self.table["support"].to_numpy()
        return values

    @cached_property
    def digest(self) -> str:
        """Identity of the mapping class id → wnid: xxh3_64 of the wnids joined by newlines."""
        return storage.digest("\n".join(self.wnids).encode())

    def to_bytes(self) -> bytes:
        """The content of vocabulary.parquet."""
        return parquet.to_bytes(self.table)

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> "Vocabulary":
        """Read vocabulary.parquet; `where` names it in errors."""
        return cls(parquet.from_bytes(data, VOCABULARY, where))

    def _strings(self, column: str) -> list[str]:
        values: list[str] = self.table[column].to_pylist()
        return values
