"""The terms that WordNet knows, in all the forms in which captions write them: what a worker looks words up in."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa

from labelgen.dictionary import wordnet
from labelgen.dictionary.compiled import compiled, key_of
from labelgen.dictionary.wordnet import Folder, Pos, Sense
from labelshards.errors import CatlipError

# WordNet's morphy(7): endings and what they become, in its order.
_DETACHMENTS = {
    Pos.NOUN: (
        ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
        ("men", "man"), ("ies", "y"),
    ),
    Pos.VERB: (
        ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""),
    ),
    Pos.ADJECTIVE: (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
}  # fmt: skip
# The same by their last letters: most forms end otherwise and need no search.
_DETACHMENTS_BY_LETTER = {
    pos: {
        letter: tuple(ending for ending in endings if ending[0].endswith(letter))
        for letter in {end[-1] for end, _ in endings}
    }
    for pos, endings in _DETACHMENTS.items()
}
# An irregular plural that WordNet's list leaves out.
_MORE_EXCEPTIONS = {Pos.NOUN: {"people": ("person",)}}
# British endings → American ones, tried on words that WordNet does not know.
_SPELLINGS = (
    ("our", "or"), ("tre", "ter"), ("ise", "ize"), ("yse", "yze"), ("ogue", "og"), ("lled", "led"), ("lling", "ling"),
    ("ller", "ler"), ("ae", "e"), ("oe", "e"),
)  # fmt: skip
_BRITISH = re.compile("|".join(british for british, _ in _SPELLINGS))


class Lexicon:
    """Terms → senses. `added`: the terms that did not come from WordNet."""

    def __init__(
        self,
        senses: Mapping[Pos, dict[str, tuple[int, ...]]],
        counts: dict[tuple[str, int], int],
        exceptions: Mapping[Pos, dict[str, tuple[str, ...]]],
        things: frozenset[str],
        variants: dict[str, str],
        added: frozenset[str],
        longest: int,
        beginnings: frozenset[str],
    ) -> None:
        self._senses = senses
        self._counts = counts
        self._exceptions = exceptions
        self._things = things
        self.added = added
        self._variants = variants
        self._noun_forms: list[str] = []
        # Of terms of several words: how many the longest has, and the first two of each, however it is written.
        self.longest_term_words = longest
        self.beginnings = beginnings
        self._first_words = frozenset(pair.partition(" ")[0] for pair in beginnings)
        self.find = lru_cache(maxsize=200_000)(self._find)
        self.base = lru_cache(maxsize=50_000)(self._base)

    @classmethod
    def load(
        cls,
        folder: Folder,
        terms: Mapping[str, str] | None = None,
        senses: Callable[[], Iterable[Sense]] | None = None,
    ) -> "Lexicon":
        """WordNet's index with some terms more, read once and then kept (compiled.py).

        `folder` was checked with `wordnet.verify`, once, by the process that leads. `senses`: as in wordnet.verify.
        Raises CatlipError for a term whose synset WordNet lacks.
        """
        added = dict(terms or {})
        key = key_of(folder, __name__, wordnet.__name__, also=repr(added))
        arrays = compiled("lexicon", key, lambda: _read(folder, added, senses))
        counts = zip(*_lists(arrays, "counts.terms", "counts.synsets", "counts.uses"), strict=True)
        return cls(
            {pos: _tuples(arrays, f"{pos.file}.terms", f"{pos.file}.synsets") for pos in Pos},
            {(term, synset): uses for term, synset, uses in counts},
            {pos: _tuples(arrays, f"{pos.file}.forms", f"{pos.file}.bases") for pos in Pos},
            frozenset(arrays["things"].to_pylist()),
            dict(zip(*_lists(arrays, "variants", "variants.terms"), strict=True)),
            frozenset(added),
            arrays["longest"][0].as_py(),
            frozenset(arrays["beginnings"].to_pylist()),
        )

    def senses(self, term: str, pos: Pos = Pos.NOUN) -> tuple[int, ...]:
        """Synsets of a term (lower case, spaces between words), most frequent sense first; () if there is none."""
        return self._senses[pos].get(term, ())

    def terms(self, pos: Pos) -> Iterable[str]:
        """All terms of a part of speech."""
        return self._senses[pos]

    def noun_forms(self) -> list[str]:
        """All that `find` may end at, sorted: nouns, other ways to write them, and irregular plurals."""
        if not self._noun_forms:
            self._noun_forms = sorted({*self._senses[Pos.NOUN], *self._variants, *self._exceptions[Pos.NOUN]})
        return self._noun_forms

    def things(self) -> Iterable[str]:
        """Terms of which `is_thing` is true."""
        return self._things

    def is_thing(self, term: str) -> bool:
        """True if the term has a sense that can be seen and touched, as far as WordNet's files tell it."""
        return term in self._things

    def counts(self) -> Mapping[tuple[str, int], int]:
        """(term, synset) → how often WordNet's tagged texts have it, where they have it at all."""
        return self._counts

    def uses(self, term: str, pos: Pos) -> int:
        """How common a term is as this part of speech: its uses in tagged texts, and one for each sense."""
        return sum(1 + self.count(term, synset) for synset in self.senses(term, pos))

    def count(self, term: str, synset: int) -> int:
        """How often WordNet's tagged texts have this term in this sense."""
        return self._counts.get((term, synset), 0)

    def singulars(self, term: str) -> list[str]:
        """Terms that `term` may be the plural of, by WordNet's morphology: its exception list, else its endings."""
        return self._bases(term, Pos.NOUN)

    def _bases(self, form: str, pos: Pos) -> list[str]:
        terms = self._senses[pos]
        irregular = self._exceptions[pos].get(form)
        candidates = stems(form, pos) if irregular is None else irregular
        bases = [base for base in candidates if base in terms and base != form]
        return list(dict.fromkeys(bases)) if len(bases) > 1 else bases

    def _base(self, form: str, pos: Pos) -> str | None:
        """The term of an inflected verb or adjective ("ran" → "run", "biggest" → "big"), or None."""
        bases = self._bases(form, pos)
        known = form in self._senses[pos]
        if known and (pos is Pos.ADJECTIVE or form in bases):
            return form
        return next(iter(bases), form if known else None)

    def _find(self, surface: str, plural: bool) -> tuple[str, tuple[int, ...]] | None:
        """The term that a surface form stands for, with its senses, or None.

        `surface`: lower case. A plural is looked up as its singular first ("men" is `work_force.n.01`'s own lemma,
        "man" is what the caption means), anything else as it stands first. Then come other ways to write it:
        without hyphens and apostrophes, and with American endings.
        """
        first, space, _ = surface.partition(" ")
        found = None if space and first not in self._first_words else self._find_form(surface, plural)
        if found is None:
            found = next(filter(None, (self._find_form(form, plural) for form in other_spellings(surface))), None)
        return None if found is None else (found, self._senses[Pos.NOUN][found])

    def _find_form(self, form: str, plural: bool) -> str | None:
        """The same for one way to write it."""
        known = form in self._senses[Pos.NOUN]
        if known and not plural:
            return form
        singulars = self.singulars(form)  # all of them nouns
        if singulars:
            return singulars[0]
        return form if known else self._variants.get(form)


def _read(
    folder: Folder, terms: Mapping[str, str], senses: Callable[[], Iterable[Sense]] | None
) -> dict[str, pa.Array]:
    found: dict[Pos, dict[str, list[tuple[int, int]]]] = {pos: {} for pos in Pos}
    counts: list[tuple[str, int, int]] = []
    things: set[str] = set()
    for sense in senses() if senses else wordnet.read_senses(folder):
        found[sense.pos].setdefault(sense.term, []).append((sense.rank, sense.synset))
        if sense.lexfile in wordnet.THINGS:
            things.add(sense.term)
        if sense.uses:
            counts.append((sense.term, sense.synset, sense.uses))
    ordered = {
        pos: {term: tuple(dict.fromkeys(synset for _, synset in sorted(ranked))) for term, ranked in by_term.items()}
        for pos, by_term in found.items()
    }
    for term, name in terms.items():
        ordered[Pos.NOUN][term] = (_named(name, ordered[Pos.NOUN]),)
    variants = _variants(ordered[Pos.NOUN])
    arrays = {
        "counts.terms": pa.array([term for term, _, _ in counts], pa.string()),
        "counts.synsets": pa.array([synset for _, synset, _ in counts], pa.int64()),
        "counts.uses": pa.array([uses for _, _, uses in counts], pa.int64()),
        "things": pa.array(sorted(things), pa.string()),
        "variants": pa.array(variants, pa.string()),
        "variants.terms": pa.array(variants.values(), pa.string()),
        "longest": pa.array([max(term.count(" ") for term in ordered[Pos.NOUN]) + 1], pa.int64()),
    }
    exceptions = {pos: wordnet.read_exceptions(folder, pos) | _MORE_EXCEPTIONS.get(pos, {}) for pos in Pos}
    forms = chain(ordered[Pos.NOUN], variants, exceptions[Pos.NOUN])
    arrays["beginnings"] = pa.array(
        sorted({" ".join(form.split(" ")[:2]) for form in forms if " " in form}), pa.string()
    )
    for pos in Pos:
        arrays |= _packed(f"{pos.file}.terms", f"{pos.file}.synsets", ordered[pos], pa.int64())
        arrays |= _packed(f"{pos.file}.forms", f"{pos.file}.bases", exceptions[pos], pa.string())
    return arrays


def _packed(
    keys: str, values: str, rows: Mapping[str, tuple[int, ...]] | Mapping[str, tuple[str, ...]], kind: pa.DataType
) -> dict[str, pa.Array]:
    return {
        keys: pa.array(rows, pa.string()),
        f"{values}.lengths": pa.array([len(row) for row in rows.values()], pa.int32()),
        values: pa.array([value for row in rows.values() for value in row], kind),
    }


def _tuples(arrays: Mapping[str, pa.Array], keys: str, values: str) -> dict[str, tuple[Any, ...]]:
    """What `_packed` packed."""
    names, lengths, flat = _lists(arrays, keys, f"{values}.lengths", values)
    alone = list(zip(flat, strict=True))  # a tuple for each; most keys have one value
    starts = accumulate(lengths, initial=0)
    rows = (alone[at] if num == 1 else tuple(flat[at : at + num]) for at, num in zip(starts, lengths, strict=False))
    return dict(zip(names, rows, strict=True))


def _lists(arrays: Mapping[str, pa.Array], *names: str) -> list[list[Any]]:
    return [arrays[name].to_pylist() for name in names]


def _named(name: str, nouns: Mapping[str, tuple[int, ...]]) -> int:
    """The noun synset called `name`. Raises CatlipError if WordNet has none."""
    lemma, part, rank = name.rsplit(".", 2)
    senses = nouns.get(lemma.replace("_", " "), ())
    if part != "n" or not rank.isdecimal() or not 0 < int(rank) <= len(senses):
        raise CatlipError(f"WordNet 3.0 has no noun synset {name!r}. Write it like dog.n.01.")
    return senses[int(rank) - 1]


def _variants(nouns: Iterable[str]) -> dict[str, str]:
    """Ways to write a term that WordNet does not list → the term: no hyphen or apostrophe, and two words as one."""
    known = frozenset(nouns)
    variants: dict[str, str] = {}
    for term in sorted(known):
        plain = term.replace("-", " ").replace("'", "").replace(".", "")
        forms = {plain, plain.replace(" ", "") if plain.count(" ") == 1 else plain}
        for form in forms - known:
            variants.setdefault(form, term)
    return variants


def stems(form: str, pos: Pos = Pos.NOUN) -> Sequence[str]:
    """What WordNet's endings leave of a form, of which few are words: "glasses" → "glasse", "glass"."""
    endings = _DETACHMENTS_BY_LETTER[pos].get(form[-1:])
    if endings is None:
        return ()
    return [form[: -len(end)] + new for end, new in endings if form.endswith(end) and len(form) > len(end)]


def spellings(surface: str) -> list[str]:
    """A surface form as it stands, then the other ways to write it that are looked up."""
    return [surface, *other_spellings(surface)]


def other_spellings(surface: str) -> list[str]:
    """Without hyphens, and with American endings: what differs from the surface form."""
    forms = [surface.replace("-", " ")] if "-" in surface else []
    if _BRITISH.search(surface):
        forms += [surface.replace(british, american) for british, american in _SPELLINGS if british in surface]
    return forms
