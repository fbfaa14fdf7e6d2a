"""How classes of data are found in a vocabulary, where both halves are installed; and the table of what was found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catlip_cli import terminal

if TYPE_CHECKING:
    from labelshards.matching import Match
    from labelshards.vocabulary import Vocabulary

_SHOWN = 12
_KIND_TITLES = {
    "exact": "by name or id",
    "synonym": "by a synonym",
    "hyponyms": "by their kinds",
    "hypernym": "by what they are a kind of",
    "similar": "by neighbours in WordNet",
    "none": "not at all",
}


def match_names(names: "Sequence[str]", vocabulary: "Vocabulary") -> "list[Match]":
    """With WordNet if it is here, else by names and synonyms, and a line on stderr says so."""
    from labelshards import matching
    from labelshards.errors import CatlipError

    try:
        from labelgen.audit import matching as with_wordnet
        from labelgen.meaning.atlas import read_atlas

        return with_wordnet.match_names(names, vocabulary, read_atlas())
    except (ModuleNotFoundError, CatlipError):
        terminal.stderr.print(
            "WordNet is not here: classes are matched by ids, names and synonyms, not by what lies above, below or "
            "beside them. For those: pip install 'catlip[labels]', then catlip labels setup.",
            markup=False,
            soft_wrap=True,
        )
        return matching.match_names(names, vocabulary)


def print_matches(matches: "Sequence[Match]") -> None:
    """How many classes were found in which way, and what stands for those that were not found by their own name."""
    from labelshards.matching import EXACT, KINDS, NONE

    counts = {kind: sum(match.kind == kind for match in matches) for kind in KINDS}
    matched = len(matches) - counts[NONE]
    said = ", ".join(f"{count:,} {_KIND_TITLES[kind]}" for kind, count in counts.items() if count)
    terminal.stdout.print(f"{matched:,} of {len(matches):,} classes are in the vocabulary: {said}.", markup=False)
    told = sorted((match for match in matches if match.kind != EXACT), key=lambda match: KINDS.index(match.kind))
    if told:
        rows = [
            [match.name, match.kind, f"{match.similarity:.2f}" if match.class_ids else "", ", ".join(match.synsets)]
            for match in reversed(told[-_SHOWN:])
        ]
        terminal.print_table(
            [("class", "left"), ("match", "left"), ("similarity", "right"), ("stood for by", "left")], rows
        )
        if len(told) > _SHOWN:
            terminal.stdout.print(f"And {len(told) - _SHOWN:,} more; the result's `matches` has all.", style="dim")
