"""How far the table finds what its teacher finds."""

from collections.abc import Callable, Iterable, Sequence

from labelgen.distill.labeler import Distilled
from labelgen.distill.table import Agreement
from labelgen.mentions.terms import Dropped, Mention, Role, Term

_Set = set[tuple[Term, Term | None]]


def agreement(
    labeler: Distilled, texts: Sequence[str], taught: Sequence[Iterable[Mention | Dropped]]
) -> tuple[Agreement, Agreement]:
    """(of the heads' terms alone, of all terms with what they modify), over captions with what the teacher found."""
    found: list[_Set] = [set() for _ in texts]
    numbers = labeler.read(texts)
    for caption, term, of in zip(*(column.tolist() for column in numbers), strict=True):
        found[caption].add((labeler.term(term), None if of < 0 else labeler.term(of)))
    right = [{(each.term, each.of) for each in of_text if isinstance(each, Mention)} for of_text in taught]
    return _compare(found, right, _heads), _compare(found, right, lambda mentions: mentions)


def _heads(mentions: _Set) -> _Set:
    return {(term, of) for term, of in mentions if term.role is Role.HEAD}


def _compare(found: Sequence[_Set], right: Sequence[_Set], of_interest: Callable[[_Set], _Set]) -> Agreement:
    num_both = num_found = num_right = 0
    for ours, theirs in zip(map(of_interest, found), map(of_interest, right), strict=True):
        num_both += len(ours & theirs)
        num_found += len(ours)
        num_right += len(theirs)
    return Agreement(
        precision=round(num_both / max(1, num_found), 4),
        recall=round(num_both / max(1, num_right), 4),
        f1=round(2 * num_both / max(1, num_found + num_right), 4),
    )
