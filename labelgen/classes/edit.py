"""What a person decided about classes: to leave some out, to make one of several, to part the terms of one.

Decisions act on the labels of a shard before any is pruned, so no caption is parsed and no sense is chosen again. They
are kept in the manifest (provenance, settings, `edit`), and hold for data that is labelled with that vocabulary later.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pyarrow.compute as pc

from labelgen.columns import read_columns
from labelgen.meaning.atlas import Atlas
from labelgen.meaning.resolve import COMPOUND_BITS
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet

# What `Edits.of` says of a label that is left out.
GONE = -1

_BELOW = "below "
_AND = "+"
_LEXNAME = re.compile(r"(noun|verb|adj)\.[A-Za-z]+")


class Split(msgspec.Struct, frozen=True):
    """What `term` gave to the class `synset` goes to the class `into`."""

    synset: str
    term: str
    into: str


class Merge(msgspec.Struct, frozen=True):
    """The class `synset`, or all at and below it, become the class `into`."""

    synset: str
    into: str


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions as they were written. Classes are synsets' names or ImageNet ids; `below X` is X and its kinds.

    deny: classes, or lexicographers' files (`noun.time`), that are left out; under: synsets, nothing but what is below
    them stays; max_classes: so many stay at most. Splits come first, then merges, then what is left out.
    """

    deny: list[str] = []
    merge: list[Merge] = []
    split: list[Split] = []
    under: list[str] = []
    max_classes: int | None = None

    def is_empty(self) -> bool:
        """True if nothing was decided."""
        return self == Edit()


def read_edit(
    deny: str | None, merge: str | None, split: str | None, under: Sequence[str], max_classes: int | None
) -> Edit:
    """The decisions in files, a line each, columns parted by tabs; `#` begins a comment. Raises CatlipError.

    deny: `CLASS`; merge: `CLASS<TAB>INTO`; split: `CLASS<TAB>TERM<TAB>INTO`.
    """
    return Edit(
        deny=[name for (name,) in _columns(deny, "CLASS")],
        merge=[Merge(name, into) for name, into in _columns(merge, "CLASS<TAB>INTO")],
        split=[Split(name, term.lower(), into) for name, term, into in _columns(split, "CLASS<TAB>TERM<TAB>INTO")],
        under=list(under),
        max_classes=max_classes,
    )


def _columns(uri: str | None, expected: str) -> Iterator[list[str]]:
    if uri is not None:
        for _, columns in read_columns(uri, expected.count("<TAB>") + 1, expected):
            yield [" ".join(column.split()) for column in columns]


def edit_of(label_set: LabelSet) -> Edit | None:
    """The decisions that a label set was made with, if there were any."""
    edit = label_set.manifest.provenance.settings.get(schema.EDIT)
    try:
        return None if edit is None else msgspec.convert(edit, Edit)
    except msgspec.ValidationError as error:
        raise CatlipError(
            f"{label_set.root} says of its classes what no catlip writes ({error}). Prune it again."
        ) from error


class Edits:
    """Decisions as arrays over the synsets of an atlas. What holds for a noun holds for its compounds, but in merges.

    splits: (number of the class, term, number of the class that it becomes).
    """

    def __init__(self, edit: Edit, atlas: Atlas) -> None:
        """Raises CatlipError for a name that there is not, or merges in a circle."""
        self._atlas = atlas
        self._denied = np.zeros(len(atlas.ids), bool)
        self._denied_compounds: list[int] = []
        for name in edit.deny:
            if _AND in name:
                self._denied_compounds.append(self._number(name))
            else:
                self._denied[self._places(name)] = True
        if edit.under:
            kept = [atlas.below(atlas.require(name)) for name in edit.under]
            self._denied |= ~np.logical_or.reduce(kept)
        self._becomes = self._merged(edit.merge)
        self.splits = [(self._number(each.synset), each.term, self._number(each.into)) for each in edit.split]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """int64: what labels, given by number, become by merging and leaving out; GONE where they are no more."""
        known, places = np.unique(numbers, return_inverse=True)
        becomes = np.array([self._becomes.get(number, number) for number in known.tolist()], np.int64)
        nouns = self._atlas.places(becomes & ((1 << COMPOUND_BITS) - 1))  # of a compound, its head
        gone = self._denied[nouns] | np.isin(becomes, self._denied_compounds)
        found: np.ndarray = np.where(gone, GONE, becomes)[places]
        return found

    def _places(self, name: str) -> list[int]:
        """What a name in a list means, compounds aside."""
        if name.startswith(_BELOW):
            below: list[int] = np.flatnonzero(
                self._atlas.below(self._atlas.require(name.removeprefix(_BELOW)))
            ).tolist()
            return below
        if _LEXNAME.fullmatch(name):
            in_file: list[int] = np.flatnonzero(
                pc.equal(self._atlas.lexnames, name).to_numpy(zero_copy_only=False)
            ).tolist()
            if not in_file:
                raise CatlipError(f"WordNet has no file {name!r}. Write it like noun.time.")
            return in_file
        return [self._atlas.require(name)]

    def _number(self, name: str) -> int:
        """The number of one class; that of a compound from both of its names."""
        parts = [int(self._atlas.ids[self._atlas.require(part)]) for part in name.split(_AND)]
        if len(parts) > 2:
            raise CatlipError(f"{name!r} has more than two parts. Write a compound like red.s.01+car.n.01.")
        return parts[0] if len(parts) == 1 else (parts[0] << COMPOUND_BITS) | parts[1]

    def _merged(self, merges: Sequence[Merge]) -> dict[int, int]:
        """Number → the number that it becomes in the end, for those that change."""
        step: dict[int, int] = {}
        told: dict[str, str] = {}
        for each in merges:
            if told.setdefault(each.synset, each.into) != each.into:
                raise CatlipError(
                    f"{each.synset} is merged into {told[each.synset]} and into {each.into}. Take one of them out."
                )
            into = self._number(each.into)
            if _AND in each.synset:
                step[self._number(each.synset)] = into
            else:
                step |= dict.fromkeys(self._atlas.ids[self._places(each.synset)].tolist(), into)
            if step.get(into) == into:
                del step[into]  # "below dog.n.01" becomes dog.n.01, which stays itself
        becomes = {}
        for number in step:
            seen, at = {number}, step[number]
            while at in step:
                if at in seen:
                    name = self._atlas.names[int(self._atlas.places(np.array([at & ((1 << COMPOUND_BITS) - 1)]))[0])]
                    raise CatlipError(f"The merges go round in a circle at {name}. Take one of them out.")
                seen.add(at)
                at = step[at]
            becomes[number] = at
        return becomes
