"""What people decide by hand, in two tab-separated files: terms that WordNet lacks, and senses.

Both hold lines of two columns; what follows a `#` is a comment. What is built in stands in web_terms.tsv and in
usual_senses.tsv.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from labelgen.columns import read_columns
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.meaning.senses import Pins, Use
from labelshards import storage
from labelshards.errors import CatlipError

BUILT_IN_TERMS = Path(__file__).parent / "web_terms.tsv"
BUILT_IN_SENSES = Path(__file__).parent / "usual_senses.tsv"
_NONE = "-"
_ALL = "*"
_RARER = ">"
_NAME = re.compile(r"[^\s()]+")
_TIERS = re.compile(r"[^\s()>]+(\([^()>]*\))?(( >)? [^\s()>]+(\([^()>]*\))?)*")
_USE = re.compile(r"([^\s()]+)(?:\(([^()]*)\))?")  # mouse.n.04(keyboard desk)


def read_terms(uri: str | None) -> dict[str, str]:
    """Term → name of the synset that it stands for: the built-in ones, changed by the file at `uri`.

    A line adds or replaces a term; `term<TAB>-` takes one out, and `*<TAB>-` all that came before.
    """
    terms = {term: name for _, term, name in _lines(str(BUILT_IN_TERMS))}
    if uri is None:
        return terms
    for where, term, name in _lines(uri):
        if term == _ALL and name == _NONE:
            terms.clear()
        elif name == _NONE:
            terms.pop(term, None)
        elif name.count(".") < 2:
            raise CatlipError(f"{where}: {name!r} is no synset's name. Write it like dog.n.01.")
        else:
            terms[term] = name
    return terms


def read_senses(uri: str | None, lexicon: Lexicon, synsets: Synsets) -> Pins:
    """Decided senses: the built-in ones, changed by the file at `uri`.

    `term<TAB>synset` pins, `term<TAB>!synset` forbids, `*<TAB>!synset` forbids for every term. `term<TAB>a b(cue) > c`
    says what captions mean by it: a, somewhat less often b, c much more rarely, other senses never; the words in
    brackets are cues, which speak for b where a caption has them. `*<TAB>-` takes out the built-in ones. Raises
    CatlipError with the line that is wrong.
    """
    names: dict[str, int] = dict(zip(synsets.names, synsets.ids.tolist(), strict=True))

    def find(where: str, term: str, name: str) -> int:
        if name not in names:
            known = ", ".join(synsets[each].name for each in lexicon.senses(term))
            hint = f" {term!r} has: {known}." if known else " Write it like dog.n.01."
            raise CatlipError(f"{where}: WordNet 3.0 has no synset {name!r}.{hint}")
        return names[name]

    def tiers(where: str, term: str, text: str) -> tuple[tuple[Use, ...], ...]:
        if not _TIERS.fullmatch(text):
            raise CatlipError(
                f"{where}: {text!r} is no list of senses. Write it like mouse.n.04(keyboard) > mouse.n.01."
            )
        return tuple(
            tuple(Use(find(where, term, name), tuple(cues.split())) for name, cues in _USE.findall(tier))
            for tier in text.split(_RARER)
        )

    usual = {term: tiers(where, term, text) for where, term, text in _lines(str(BUILT_IN_SENSES))}
    pinned: dict[str, int] = {}
    forbidden: dict[str, set[int]] = {}
    for where, term, text in () if uri is None else _lines(uri):
        if term == _ALL and text == _NONE:
            usual.clear()
        elif text.startswith("!"):
            forbidden.setdefault(term, set()).add(find(where, term, text[1:]))
        elif term == _ALL:
            raise CatlipError(f"{where}: one synset cannot stand for all terms. Name the term instead of *.")
        elif not _NAME.fullmatch(text):
            usual[term] = tiers(where, term, text)
        else:
            pinned[term] = find(where, term, text)
    return Pins(pinned, {term: frozenset(found) for term, found in forbidden.items()}, usual)


def digest(*uris: str | None) -> str:
    """Identity of what files say; "" where there is none."""
    lines = [f"{a}\t{b}" for uri in uris if uri is not None for _, a, b in _lines(uri)]
    return storage.digest("\n".join(lines).encode()) if lines else ""


def digest_of_senses(uri: str | None) -> str:
    """Identity of the decided senses: the built-in ones, and what the file at `uri` says."""
    return digest(str(BUILT_IN_SENSES), uri)


def _lines(uri: str) -> Iterator[tuple[str, str, str]]:
    """(where it stands, first column in lower case, second column) of each line."""
    for where, (first, second) in read_columns(uri, 2, "two columns with a tab between them"):
        yield where, " ".join(first.lower().split()), second
