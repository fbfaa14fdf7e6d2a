"""What people decide by hand, in two small tab-separated files: terms that WordNet lacks, and senses.

Both hold lines of two columns; what follows a `#` is a comment. The built-in terms stand in web_terms.tsv.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from labelgen.lexicon import Lexicon
from labelgen.senses import Pins
from labelgen.wordnet import Synset
from labelshards import storage
from labelshards.errors import CatlipError

BUILT_IN = Path(__file__).parent / "web_terms.tsv"
_NONE = "-"
_ALL = "*"


def read_terms(uri: str | None) -> dict[str, str]:
    """Term → name of the synset that it stands for: the built-in ones, changed by the file at `uri`.

    A line adds or replaces a term; `term<TAB>-` takes one out, and `*<TAB>-` all that came before.
    """
    terms = {term: name for _, term, name in _lines(str(BUILT_IN))}
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


def read_senses(uri: str | None, lexicon: Lexicon, synsets: Mapping[int, Synset]) -> Pins:
    """Decided senses. `term<TAB>synset` pins, `term<TAB>!synset` forbids, `*<TAB>!synset` forbids for every term."""
    pinned: dict[str, int] = {}
    forbidden: dict[str, set[int]] = {}
    if uri is not None:
        names = {synset.name: synset.id for synset in synsets.values()}
        for where, term, name in _lines(uri):
            synset = names.get(name.removeprefix("!"))
            if synset is None:
                known = ", ".join(synsets[each].name for each in lexicon.senses(term))
                hint = f" {term!r} has: {known}." if known else " Write it like dog.n.01."
                raise CatlipError(f"{where}: WordNet 3.0 has no synset {name.removeprefix('!')!r}.{hint}")
            if name.startswith("!"):
                forbidden.setdefault(term, set()).add(synset)
            elif term == _ALL:
                raise CatlipError(f"{where}: one synset cannot stand for all terms. Name the term instead of *.")
            else:
                pinned[term] = synset
    return Pins(pinned, {term: frozenset(found) for term, found in forbidden.items()})


def digest(uri: str | None) -> str:
    """Identity of what a file says; "" where there is none."""
    return "" if uri is None else storage.digest("\n".join(f"{a}\t{b}" for _, a, b in _lines(uri)).encode())


def _lines(uri: str) -> Iterator[tuple[str, str, str]]:
    """(where it stands, first column in lower case, second column) of each line."""
    try:
        text = storage.read_bytes(uri).decode()
    except UnicodeDecodeError as error:
        raise CatlipError(f"{uri} is not UTF-8 ({error}).") from error
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        columns = [column.strip() for column in content.split("\t") if column.strip()]
        if len(columns) != 2:
            raise CatlipError(f"{uri}, line {number}: expected two columns with a tab between them, got {content!r}.")
        yield f"{uri}, line {number}", " ".join(columns[0].lower().split()), columns[1]
