"""Candidate shards made of terms, without captions or files."""

from collections.abc import Sequence

import pyarrow as pa

from labelgen.candidates import CandidateShard, Report
from labelgen.mentions.gather import Entry, Example, terms_of
from labelgen.mentions.terms import Form, Role, Term
from labelshards import schema

Written = str | tuple[str, str]


def term(text: str) -> Term:
    """`dog` is a head, `dog:modifier`, `red:attribute`, `run:action`; a third part is the form, `glass::counted`."""
    name, role, form = (*text.split(":"), "", "")[:3]
    return Term(name, Role(role or "head"), Form(form))


def shard(rows: Sequence[Sequence[Written]]) -> CandidateShard:
    """A shard whose rows hold these terms; a pair (modifier, head) is a compound, and its two terms stand beside it."""
    entries: dict[Entry, int] = {}

    def note(text: str, head: int = -1) -> int:
        return entries.setdefault(Entry(term(text), head), len(entries))

    mentions: list[list[int]] = []
    examples: dict[int, list[Example]] = {}
    for row, of_row in enumerate(rows):
        numbers: set[int] = set()
        for each in of_row:
            if isinstance(each, str):
                numbers.add(note(each))
            else:
                head = note(each[1])
                numbers |= {head, note(each[0]), note(each[0], head)}
        mentions.append(sorted(numbers))
        for number in numbers:
            examples.setdefault(number, []).append(Example(row, f"caption {row}"))
    report = Report(
        fingerprint="", samples=len(rows), captions=len(rows), images=0, problems={}, damage=None, image_files=()
    )
    return CandidateShard(
        keys=pa.array([str(row) for row in range(len(rows))], pa.string()),
        mentions=pa.array(mentions, schema.LABELS),
        images=pa.array([None] * len(rows), schema.IMAGE),
        captions=None,
        terms=terms_of(entries, [examples[number] for number in range(len(entries))]),
        report=report,
    )


def entries_of(terms: pa.Table) -> list[Entry]:
    columns = (terms[name].to_pylist() for name in ("text", "role", "form", "head"))
    return [Entry(Term(text, Role(role), Form(form)), head) for text, role, form, head in zip(*columns, strict=True)]


def examples_of(terms: pa.Table) -> list[list[Example]]:
    columns = (terms[name].to_pylist() for name in ("rows", "captions"))
    return [list(map(Example, *of_entry)) for of_entry in zip(*columns, strict=True)]
