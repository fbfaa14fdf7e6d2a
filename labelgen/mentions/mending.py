"""The rules that mend a parse, compiled: words are rows of `wordfacts`, and what is asked of them are bits.

In all of them `words` int64 [n] is one caption, and `columns` int64 [words, 7] what is known of each word.
`is_term` int8 [n]: whether a word and the next one are a term; `is_hyphenated` int8 [n]: whether the words around a
dash are one. Where that is not known yet, it is taken for false and ASKED: with the answer the rules are tried again.
"""

import numpy as np

from labelgen.arrays.native import native

# Bits of a tag: the tag itself, and the sets of tags that a rule names.
(
    NOUN, ADJECTIVE, VERB, BARE, PAST, NN, NNS, VBG, MD, RB, UH, DT, DETERMINER, OPENS_A_NOUN, BEFORE_A_VERB,
    AFTER_A_VERB, AFTER_A_NOUN, ENDS_A_NOUN, OPEN, STOP, AFTER_OPENING,
) = (1 << bit for bit in range(21))  # fmt: skip
# Bits of a word: how it is written, and what WordNet knows of it in lower case.
(
    SPACE, DASH, HYPHEN, OF, ING, LONG, KNOWN_NOUN, THING, MOSTLY_NOUN, KNOWN_ADJECTIVE, KNOWN_VERB, IS_TERM,
    FOLLOWS_OF,
) = (1 << bit for bit in range(21, 34))  # fmt: skip
# Bits of what a word may need; most words of most captions need nothing, and are not looked at again.
MAY_BE_A_NOUN, IF_NONE_FOLLOWS, MAY_CUT = (1 << bit for bit in range(34, 37))
# Bits of what it may be to a term: it counts what follows, stands first or second in one of several words, or is
# written with a mark that other spellings leave out.
COUNTS, MAY_BE_FIRST, MAY_BE_SECOND, MARKED = (1 << bit for bit in range(37, 41))

# Columns of a word: its bits, itself as a noun and as a verb, its text in lower case, and what stands for it in a
# chunk, at a chunk's end, and around one; all but the first by number.
FACTS, AS_NOUN, AS_DEED, TEXT, IN_CHUNK, AT_THE_END, AROUND = range(7)

UNKNOWN, ASKED = -1, -2
_A_NAME = 3  # words; a caption so short is likely the name of what it shows


@native
def mend(
    words: np.ndarray,
    ends: np.ndarray,
    columns: np.ndarray,
    is_term: np.ndarray,
    is_hyphenated: np.ndarray,
    chunks: np.ndarray,
    chunk_ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """All captions: better tags for `words`, in place, and (chunks int64 [C, 2], chunk_ends int64 [D]), mended.

    ends: int64 [D], where each caption ends; so does chunk_ends for the chunks that come in, int64 [K, 2]. Places are
    counted through all captions.
    """
    mended = np.empty((len(words), 2), np.int64)
    mended_ends = np.empty(len(ends), np.int64)
    covered = np.empty((len(words), 2), np.int64)
    first = first_chunk = number = 0
    for caption in range(len(ends)):
        end, end_chunk = ends[caption], chunk_ends[caption]
        _retag(words, first, end, columns, is_term)
        num = _cover(words, first, end, columns, chunks[first_chunk:end_chunk], covered)
        number = _cut_all(words, first, end, columns, is_term, is_hyphenated, covered[:num], mended, number)
        mended_ends[caption] = number
        first, first_chunk = end, end_chunk
    return mended[:number], mended_ends


def compile_rules() -> None:
    """Compile them, unless that was done."""
    none, rows = np.zeros(0, np.int64), np.zeros((0, AROUND + 1), np.int64)
    answers = np.zeros(0, np.int8)
    mend(none, none, rows, answers, answers, rows[:, :2].copy(), none)


@native
def _retag(words: np.ndarray, first: int, end: int, columns: np.ndarray, is_term: np.ndarray) -> None:
    """Verbs, adjectives and others that are nouns: a word that became one may make one of the word before."""
    is_open = np.zeros(end - first, np.bool_)
    changed = False
    for at in range(first, end):
        is_open[at - first] = columns[words[at], FACTS] & MAY_BE_A_NOUN != 0
        changed |= is_open[at - first]
    while changed:
        changed = False
        for at in range(first, end):
            facts = columns[words[at], FACTS]
            after = columns[words[at + 1], FACTS] if at + 1 < end else AFTER_A_NOUN | ENDS_A_NOUN
            may_be_noun = is_open[at - first] and not (facts & IF_NONE_FOLLOWS and not after & AFTER_A_NOUN)
            if may_be_noun and _is_noun(words, first, at, end, columns, is_term, after):
                words[at] = columns[words[at], AS_NOUN]
                is_open[at - first] = False
                changed = True
    if end - first <= _A_NAME:
        _find_a_noun(words, first, end, columns)


@native
def _is_true(answers: np.ndarray, at: int) -> bool:
    """An answer, or a question."""
    if answers[at] == UNKNOWN:
        answers[at] = ASKED
    return bool(answers[at] == 1)


@native
def _is_noun(
    words: np.ndarray, first: int, at: int, end: int, columns: np.ndarray, is_term: np.ndarray, after: int
) -> bool:
    """Whether a word that may be a noun is one here. after: the facts of the next word."""
    facts = columns[words[at], FACTS]
    before = columns[words[at - 1], FACTS] if at > first else 0
    if facts & ADJECTIVE:  # "a pink tutu", "a photo of a safe", "a steam locomotive"
        if not facts & KNOWN_ADJECTIVE:
            return True
        if not (after & ENDS_A_NOUN and facts & THING):
            return False
        if at == first:
            return bool(end - first == 1 and facts & IS_TERM)
        return bool(before & DETERMINER) or _is_true(is_term, at - 1)
    if facts & MD:  # "a milk can"
        return bool(before & (NOUN | DETERMINER) and after & AFTER_A_NOUN)
    if facts & BARE or (facts & (RB | UH) and at == first and facts & LONG):
        likely = (facts & THING or not facts & KNOWN_VERB) and facts & MOSTLY_NOUN and not after & AFTER_A_VERB
        if likely and not before & BEFORE_A_VERB:
            return True
        acts = at == first or before & THING or not before & NN
        if facts & THING and not acts and after & AFTER_A_NOUN:  # "a luxury watch with"
            return True
        if before & NOUN:  # either word of "stop sign", if no verb is expected here
            return _is_true(is_term, at - 1)
        return bool(at == first and after & NOUN and _is_true(is_term, at))
    if facts & RB:  # "a blue dragonfly"
        return bool(before & OPENS_A_NOUN and facts & THING and not facts & (KNOWN_ADJECTIVE | KNOWN_VERB))
    # "a red rose in a vase"
    described = at > first + 1 and columns[words[at - 2], FACTS] & DT and before & KNOWN_ADJECTIVE
    return bool(facts & PAST and facts & THING and (before & OPENS_A_NOUN or described) and after & AFTER_A_NOUN)


@native
def _find_a_noun(words: np.ndarray, first: int, end: int, columns: np.ndarray) -> None:
    """Where nothing is a noun or asks for a verb, take the last word that names a thing for a noun."""
    for at in range(first, end):
        if columns[words[at], FACTS] & (NOUN | BEFORE_A_VERB):
            return
    for at in range(end - 1, first - 1, -1):
        facts = columns[words[at], FACTS]
        if facts & OPEN and facts & KNOWN_NOUN and facts & THING and not facts & KNOWN_ADJECTIVE:
            words[at] = columns[words[at], AS_NOUN]
            return


@native
def _cover(
    words: np.ndarray, first: int, end: int, columns: np.ndarray, chunks: np.ndarray, covered: np.ndarray
) -> int:
    """How many are `covered`: the chunks, and nouns outside of them, as more of the chunk before or as new ones."""
    number = chunk = 0
    last = first  # where the chunk before ended
    at = first
    while at < end:
        begins = chunk < len(chunks) and chunks[chunk, 0] == at
        if not begins and not columns[words[at], FACTS] & NOUN:
            at += 1
            continue
        start = at
        if begins:
            at = last = chunks[chunk, 1]
            chunk += 1
        else:
            while start > last and columns[words[start - 1], FACTS] & OPENS_A_NOUN:
                start -= 1
        if columns[words[at - 1], FACTS] & NOUN or not begins:
            while at < end and columns[words[at], FACTS] & NOUN and (chunk == len(chunks) or chunks[chunk, 0] != at):
                at += 1
        covered[number] = start, at
        number += 1
    return number


@native
def _cut_all(
    words: np.ndarray,
    first: int,
    end: int,
    columns: np.ndarray,
    is_term: np.ndarray,
    is_hyphenated: np.ndarray,
    covered: np.ndarray,
    mended: np.ndarray,
    number: int,
) -> int:
    """The chunks of one caption, joined where a term lies across two ("a brown teddy" and "bear"), and cut after a
    noun at verbs and stops ("a girl | feeding | pigeons", "a hen | : | a bird"). number: of `mended`, before and after.
    """
    own = number
    for chunk in range(len(covered)):
        start, stop = covered[chunk, 0], covered[chunk, 1]
        if number > own and mended[number - 1, 1] == start and _is_true(is_term, start - 1):
            number -= 1
            start = mended[number, 0]
        may_cut = False
        for at in range(start + 1, stop):
            may_cut |= columns[words[at], FACTS] & MAY_CUT != 0
        for at in range(start + 1, stop if may_cut else 0):
            if not columns[words[at - 1], FACTS] & NOUN:
                continue
            is_stop = _is_stop(words, at, end, columns, is_hyphenated)
            if not is_stop:
                if not _is_deed(words, at, stop, columns, is_term):
                    continue
                words[at] = columns[words[at], AS_DEED]
            mended[number] = start, at
            number += 1
            start = at + 1
        if start < stop:
            mended[number] = start, stop
            number += 1
    return number


@native
def _is_stop(words: np.ndarray, at: int, end: int, columns: np.ndarray, is_hyphenated: np.ndarray) -> bool:
    """True for punctuation between phrases, and for a dash with spaces around it, but not in "a close - up"."""
    facts = columns[words[at], FACTS]
    if facts & DASH and facts & SPACE and not facts & NOUN and columns[words[at - 1], FACTS] & SPACE:
        return at + 1 == end or not _is_true(is_hyphenated, at)
    return bool(facts & STOP and facts & SPACE)


@native
def _is_deed(words: np.ndarray, at: int, stop: int, columns: np.ndarray, is_term: np.ndarray) -> bool:
    """True if a word after a noun is what the noun does. A term of WordNet is never cut."""
    facts = columns[words[at], FACTS]
    if not facts & KNOWN_VERB or (facts & THING and not facts & VBG):
        return False
    if facts & ING:
        is_deed = facts & (VBG | NN) and not (at + 1 < stop and _is_true(is_term, at))
    else:
        is_deed = facts & NNS and at == stop - 1 and columns[words[at - 1], FACTS] & THING
    return bool(is_deed) and not _is_true(is_term, at - 1)
