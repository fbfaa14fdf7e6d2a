"""The distinct terms of a corpus, numbered, and the columns in which a shard names its own.

A term is one that WordNet or the table of added terms knows, so a corpus of any size has some hundred thousand at most:
pairs of terms, which have a long tail, are counted nowhere but in their shard.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labelgen.mentions.terms import Form, Role, Term

ROLES, FORMS = tuple(Role), tuple(Form)
KINDS = len(ROLES) * len(FORMS)  # of one text: role and form in one number
_ROLE_CODES = {role.value: code for code, role in enumerate(ROLES)}
_FORM_CODES = {form.value: code for code, form in enumerate(FORMS)}


# The terms of a shard, and pairs of them: its entries. head: that of a pair, by its number, else -1. rows, captions: a
# few captions that have it, with the rows of their samples.
TERMS = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("form", pa.string(), nullable=False),
        pa.field("head", pa.int32(), nullable=False),
        pa.field("rows", pa.list_(pa.field("element", pa.uint32(), nullable=False)), nullable=False),
        pa.field("captions", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)


class Entries(NamedTuple):
    """The entries of a shard as columns.

    texts: str [E]; kinds: int64 [E], role and form in one number; heads: int64 [E], the entry that this one modifies,
    or -1 for a term by itself.
    """

    texts: Sequence[str]
    kinds: np.ndarray
    heads: np.ndarray


def kinds_of(roles: pa.Array, forms: pa.Array) -> np.ndarray:
    """int64: role and form, given by their values (string [E]), in one number."""
    kinds: np.ndarray = _codes(roles, _ROLE_CODES) * len(FORMS) + _codes(forms, _FORM_CODES)
    return kinds


def _codes(values: pa.Array, codes: Mapping[str, int]) -> np.ndarray:
    encoded = values.dictionary_encode()
    of_value = np.array([codes[value] for value in encoded.dictionary.to_pylist()], np.int64)
    found: np.ndarray = of_value[encoded.indices.to_numpy()]
    return found


def terms_table(
    names: tuple[pa.Array, pa.Array, pa.Array],
    heads: np.ndarray,
    starts: np.ndarray,
    examples: tuple[pa.Array, pa.Array],
) -> pa.Table:
    """TERMS [E] of its columns. names: text, role and form, string [E]. heads: int [E].

    examples: row and caption of each; those of entry i stand from starts[i] to starts[i+1].
    """
    told = [pa.ListArray.from_arrays(pa.array(starts, pa.int32()), column) for column in examples]
    columns = [*names, pa.array(heads, pa.int32()), *told]
    typed = [column.cast(field.type) for column, field in zip(columns, TERMS, strict=True)]
    return pa.Table.from_arrays(typed, schema=TERMS)


class TermTable:
    """Terms by number, in the order in which they were added."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._numbers = np.empty(0, np.int64)
        self._codes: list[np.ndarray] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, entries: Entries) -> None:
        """Number the terms of a shard that are new."""
        alone = np.flatnonzero(entries.heads < 0)
        texts = self._texts
        numbers = [texts.setdefault(entries.texts[at], len(texts)) for at in alone.tolist()]
        codes = np.array(numbers, np.int64) * KINDS + entries.kinds[alone]
        if len(texts) * KINDS > len(self._numbers):
            grown = np.full(2 * len(texts) * KINDS, -1, np.int64)
            grown[: len(self._numbers)] = self._numbers
            self._numbers = grown
        # A shard has each term once, so none is new twice here.
        new = codes[self._numbers[codes] < 0]
        self._numbers[new] = np.arange(self._count, self._count + len(new))
        self._codes.append(new)
        self._count += len(new)

    def numbers(self, entries: Entries) -> np.ndarray:
        """int64 [E]: the term of each entry, -1 if it was never added."""
        get = self._texts.get
        texts = np.array([get(text, -1) for text in entries.texts], np.int64)
        if not len(self._numbers):
            return np.full(len(texts), -1, np.int64)
        found: np.ndarray = np.where(texts < 0, -1, self._numbers[texts * KINDS + entries.kinds])
        return found

    def terms(self) -> list[Term]:
        """All of them."""
        texts = list(self._texts)
        codes = np.concatenate([np.empty(0, np.int64), *self._codes])
        number, kind = np.divmod(codes, KINDS)
        roles, forms = np.divmod(kind, len(FORMS))
        return [
            Term(texts[text], ROLES[role], FORMS[form])
            for text, role, form in zip(number.tolist(), roles.tolist(), forms.tolist(), strict=True)
        ]
