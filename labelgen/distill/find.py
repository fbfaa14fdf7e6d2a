"""Pieces and their classes → mentions, for many captions at once. What it finds is what `TermFinder.find_in` finds."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labelgen.arrays.ragged import any_in, offsets, spans
from labelgen.distill.lookup import Lookup
from labelgen.distill.spans import NONE
from labelgen.distill.tagset import IS_NOUN, chunks_of, is_tag
from labelgen.mentions.terms import REACH, Form, Role, Term
from labelgen.mentions.termtable import FORMS, KINDS, ROLES

_FORM = {form: number for number, form in enumerate(FORMS)}
_ROLE = {role: number * len(FORMS) for number, role in enumerate(ROLES)}

_IS_PLURAL, _IS_NAME = is_tag("NNS", "NNPS"), is_tag("NNP", "NNPS")
_IS_ADJECTIVE, _IS_DETERMINER, _IS_COUNT = map(is_tag, ("JJ", "DT", "CD"))
_IS_VERB, _IS_AFTER_AN_OPENING = is_tag("VB", "VBG"), is_tag("IN", "VBG")
_IS_NEVER_IN_A_TERM = is_tag("DT", "CD", "PRP")


class Mentions(NamedTuple):
    """M mentions, int64 [M] each: the piece at which it stands; its term; the head that it modifies, or NONE.

    Terms are numbers that `decode` reads: a text's, with role and form as in termtable.
    """

    at: np.ndarray
    terms: np.ndarray
    of: np.ndarray


def decode(number: int, texts: list[str]) -> Term:
    """The term that a number stands for."""
    text, kind = divmod(number, KINDS)
    role, form = divmod(kind, len(FORMS))
    return Term(texts[text], ROLES[role], FORMS[form])


def names(terms: np.ndarray, texts: list[str]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The texts, roles and forms, string [n] each, of int64 [n] such numbers."""
    numbers, kinds = np.divmod(terms, KINDS)
    roles, forms = np.divmod(kinds, len(FORMS))
    return (
        pa.array(list(map(texts.__getitem__, numbers.tolist())), pa.string()),
        pa.array(ROLES, pa.string()).take(pa.array(roles)),
        pa.array(FORMS, pa.string()).take(pa.array(forms)),
    )


def is_head(terms: np.ndarray) -> np.ndarray:
    """bool [M]: the terms whose role is that of a head."""
    found: np.ndarray = terms % KINDS // len(FORMS) == ROLES.index(Role.HEAD)
    return found


class _Chunks(NamedTuple):
    """K chunks that give terms: int64 [K] first piece, end, and the end of a term across "of" (or 0) with its first
    piece and text."""

    starts: np.ndarray
    ends: np.ndarray
    across: np.ndarray
    across_firsts: np.ndarray
    across_texts: np.ndarray


class _Longest(NamedTuple):
    """Of each of N pieces that is a noun: where the longest term that ends there begins, its text, and that of the
    plural which is a term of its own; NONE where there is none."""

    firsts: np.ndarray
    texts: np.ndarray
    plurals: np.ndarray


def find(numbers: np.ndarray, classes: np.ndarray, lookup: Lookup) -> Mentions:
    """The mentions in a row of pieces. numbers, classes: int64 [N]; breaks between captions as in `pieces.Row`."""
    lookup.look_at_new()
    # Whatever the table says of a break, it lies outside of all chunks.
    classes = np.where(numbers == 0, 0, classes)
    inside, starts, ends = chunks_of(classes)
    chunks = _chunks(numbers, classes, starts, ends, lookup)
    longest = _longest(numbers, classes, chunks, lookup)
    heads = _heads(numbers, classes, chunks, longest, lookup)
    adjectives = np.flatnonzero(_IS_ADJECTIVE[classes] & (inside == NONE))
    verbs = np.flatnonzero(_IS_VERB[classes])
    mentions = [
        heads[1],
        *_before(numbers, classes, chunks, longest, heads, lookup),
        _alone(adjectives, lookup.attributes.rows[numbers[adjectives]], Role.ATTRIBUTE),
        _alone(verbs, lookup.actions.rows[numbers[verbs]], Role.ACTION),
    ]
    return Mentions(*map(np.concatenate, zip(*mentions, strict=True)))


def _chunks(numbers: np.ndarray, classes: np.ndarray, starts: np.ndarray, ends: np.ndarray, lookup: Lookup) -> _Chunks:
    """The chunks, less what a term across "of" takes of those after it. starts: written to."""
    across, firsts, texts = np.zeros_like(ends), np.zeros_like(ends), np.full_like(ends, NONE)
    begins = offsets(lookup.begins_of.rows[numbers])
    # Two breaks stand behind each caption, so there is always a piece after the next.
    likely = lookup.is_of.rows[numbers[ends]] & lookup.follows_of.rows[numbers[ends + 1]]
    for chunk in np.flatnonzero(likely & (begins[ends] > begins[starts])).tolist():
        found = _across(numbers, classes, int(starts[chunk]), int(ends[chunk]), lookup)
        if found is not None:
            firsts[chunk], across[chunk], texts[chunk] = found
            after = chunk + 1
            while after < len(starts) and starts[after] < across[chunk]:
                starts[after] = min(across[chunk], ends[after])
                after += 1
    left = starts < ends
    return _Chunks(starts[left], ends[left], across[left], firsts[left], texts[left])


def _across(
    numbers: np.ndarray, classes: np.ndarray, start: int, end: int, lookup: Lookup
) -> tuple[int, int, int] | None:
    """(first piece, end, text) of a term that begins in a chunk and goes on after "of", or None."""
    breaks = np.flatnonzero(numbers[end : end + REACH] == 0)
    for last in range(end + (int(breaks[0]) if len(breaks) else REACH), end + 1, -1):
        if not IS_NOUN[classes[last - 1]]:
            continue
        for first in range(start, end):
            text = lookup.of_term(numbers[first:last].tolist())
            if text is not None:
                return first, last, text
    return None


def _longest(numbers: np.ndarray, classes: np.ndarray, chunks: _Chunks, lookup: Lookup) -> _Longest:
    """One length after the other, from single pieces up; what is found last is longest."""
    is_noun, is_plural = IS_NOUN[classes], _IS_PLURAL[classes].astype(np.int64)
    in_chunk = _members(chunks.starts, chunks.ends, len(numbers))
    is_hyphen, has_space = lookup.is_hyphen.rows[numbers], lookup.has_space.rows[numbers]
    joined = np.zeros(len(numbers), np.bool_)  # to a hyphen before it; at a caption's second piece that is a dash
    joined[2:] = is_hyphen[1:-1] & ~has_space[2:] & (numbers[:-2] != 0)
    ends_a_term = _IS_NEVER_IN_A_TERM[classes]
    ends_a_term[:-1] &= ~(is_hyphen[1:] & ~has_space[1:])
    firsts, texts, plurals = (np.full(len(numbers), NONE) for _ in range(3))

    def note(at: np.ndarray, of: np.ndarray, runs: np.ndarray, variants: np.ndarray) -> None:
        found, own_plurals = lookup.spans.terms(runs, variants)
        known = found != NONE
        firsts[at[known]], texts[at[known]], plurals[at[known]] = of[known], found[known], own_plurals[known]

    begins = np.flatnonzero((in_chunk != NONE) & ~joined & ~ends_a_term)
    runs = lookup.roots.rows[numbers[begins]]
    nouns = is_noun[begins]
    note(begins[nouns], begins[nouns], runs[nouns], is_plural[begins[nouns]])
    for length in range(2, lookup.longest_term_pieces + 1):
        at = begins + length - 1
        goes_on = (in_chunk[at] == in_chunk[begins]) & ~ends_a_term[at]
        two_nouns = is_noun[begins] & is_noun[at] & (length == 2)
        goes_on &= lookup.spans.extends(runs) | two_nouns  # WordNet may write them as one ("sun glasses")
        begins, at = begins[goes_on], at[goes_on]
        runs = lookup.longer(runs[goes_on], numbers[at])
        known = runs != NONE
        begins, at, runs, joinable = begins[known], at[known], runs[known], (is_noun[begins] & (length == 2))[known]
        if not len(begins):
            break
        nouns = is_noun[at]
        note(at[nouns], begins[nouns], runs[nouns], is_plural[at[nouns]] + 2 * joinable[nouns])
    return _Longest(firsts, texts, plurals)


def _heads(
    numbers: np.ndarray, classes: np.ndarray, chunks: _Chunks, longest: _Longest, lookup: Lookup
) -> tuple[np.ndarray, Mentions, np.ndarray]:
    """(the chunks that have a head; their heads; where the heads' terms begin)."""
    at = chunks.ends - 1
    is_across = chunks.across > 0
    counts = any_in(_IS_COUNT[classes] | lookup.counts.rows[numbers], chunks.starts, chunks.ends)
    # A first word by itself has a capital whatever it is; see TermFinder.
    opens = (numbers[chunks.starts - 1] == 0) & (chunks.ends - chunks.starts == 1) & (numbers[chunks.ends] != 0)
    opens &= _IS_AFTER_AN_OPENING[classes[chunks.ends]]
    determined = any_in(_IS_DETERMINER[classes], chunks.starts, chunks.ends) | opens
    texts, forms = _forms(at, numbers, classes, longest, lookup, counts, determined)
    texts = np.where(is_across, chunks.across_texts, texts)
    firsts = np.where(is_across, chunks.across_firsts, longest.firsts[at])
    forms[is_across] = _FORM[Form.PLAIN]
    has_head = texts != NONE
    followed = lookup.is_of.rows[numbers[chunks.ends]] & ~is_across & has_head
    places = np.flatnonzero(followed)
    forms[places[lookup.partitive(texts[places])]] = _FORM[Form.PARTITIVE]
    which = np.flatnonzero(has_head)
    terms = texts[which] * KINDS + _ROLE[Role.HEAD] + forms[which]
    return which, Mentions(at[which], terms, np.full(len(which), NONE)), firsts[which]


def _before(
    numbers: np.ndarray,
    classes: np.ndarray,
    chunks: _Chunks,
    longest: _Longest,
    heads: tuple[np.ndarray, Mentions, np.ndarray],
    lookup: Lookup,
) -> list[Mentions]:
    """What stands before the heads in their chunks, one step to the left after the other in all chunks at once."""
    which, mentions, at = heads
    starts, of = chunks.starts[which], mentions.terms
    found: list[Mentions] = []
    while True:
        left = at > starts
        at, starts, of = at[left] - 1, starts[left], of[left]
        if not len(at):
            return found
        adjectives = _IS_ADJECTIVE[classes[at]]
        alone = _alone(at[adjectives], lookup.attributes.rows[numbers[at[adjectives]]], Role.ATTRIBUTE, of[adjectives])
        found.append(alone)
        nouns = np.flatnonzero(IS_NOUN[classes[at]] & (longest.texts[at] != NONE))
        no = np.zeros(len(nouns), np.bool_)
        # What counts or determines in a chunk does so to its head.
        texts, forms = _forms(at[nouns], numbers, classes, longest, lookup, no, no)
        found.append(Mentions(at[nouns], texts * KINDS + _ROLE[Role.MODIFIER] + forms, of[nouns]))
        at[nouns] = longest.firsts[at[nouns]]


def _forms(
    at: np.ndarray,
    numbers: np.ndarray,
    classes: np.ndarray,
    longest: _Longest,
    lookup: Lookup,
    counts: np.ndarray,
    determined: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(texts, forms) of the longest terms that end `at`. counts, determined: bool, what else is in their chunks."""
    is_plural = _IS_PLURAL[classes[at]]
    counted = is_plural | counts
    is_name = _IS_NAME[classes[at]] & lookup.is_capital.rows[numbers[at]]
    is_capital = (counted | determined) & (longest.firsts[at] == at)
    forms = np.where(counted, _FORM[Form.COUNTED], _FORM[Form.PLAIN])
    forms = np.where(is_name, np.where(is_capital, _FORM[Form.CAPITAL], _FORM[Form.NAME]), forms)
    is_own = is_plural & ~is_name & (longest.plurals[at] != NONE)
    forms[is_own] = _FORM[Form.PLURAL]
    return np.where(is_own, longest.plurals[at], longest.texts[at]), forms


def _alone(at: np.ndarray, texts: np.ndarray, role: Role, of: np.ndarray | None = None) -> Mentions:
    """Mentions of single pieces, of those that have a term."""
    known = texts != NONE
    of = np.full(len(at), NONE) if of is None else of
    return Mentions(at[known], texts[known] * KINDS + _ROLE[role], of[known])


def _members(starts: np.ndarray, ends: np.ndarray, num_pieces: int) -> np.ndarray:
    """int64 [num_pieces]: the chunk in which each piece lies, or NONE."""
    lengths = ends - starts
    found = np.full(num_pieces, NONE)
    found[spans(starts, lengths)] = np.repeat(np.arange(len(starts)), lengths)
    return found
