"""`catlip vocab diff`: what differs between two label sets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from catlip_cli.options import json_option, limit_option
from catlip_cli.terminal import print_facts, print_json, print_next, print_table, stdout

if TYPE_CHECKING:
    from labelgen.audit.compare import Difference


@click.command(short_help="Compare the classes of two label sets.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--term", metavar="WORDS", help="What this term means in both, and nothing else.")
@limit_option(10)
@json_option
def diff(a: str, b: str, term: str | None, limit: int, as_json: bool) -> None:
    """Compare the classes of the label sets A and B: added, removed, moved, more or less frequent, other senses.

    --json has every class.

    \b
    Examples:
      catlip vocab diff labels labels-clean
      catlip vocab diff labels-first labels-context --term crane
      catlip vocab diff cc3m datacomp --json > diff.json
    """
    from labelgen.audit.compare import compare, meanings
    from labelshards.labelset import LabelSet

    before, after = LabelSet.open(a), LabelSet.open(b)
    if term is not None:
        found = meanings(before, after, " ".join(term.lower().split()))
        if as_json:
            print_json(found)
        else:
            print_facts(f"“{found.term}”", [(a, _told(found.a)), (b, _told(found.b))])
            print_next("catlip", "vocab", "inspect", b, "--filter", f"word={found.term}")
        return
    difference = compare(before, after)
    if as_json:
        print_json({"moved": len(difference.moved), "difference": difference})
        return
    _show(difference, limit)
    print_facts(
        f"From {a} to {b}",
        [
            ("samples", f"{difference.samples_a:,} → {difference.samples_b:,}"),
            ("classes", f"{len(before.vocabulary):,} → {len(after.vocabulary):,}"),
            ("added", f"{len(difference.added):,}"),
            ("removed", f"{len(difference.removed):,}"),
            ("moved", f"{len(difference.moved):,} have another class id"),
            ("senses", f"{len(difference.senses):,} terms give another class"),
            ("vocabulary", "the same" if before.vocabulary.digest == after.vocabulary.digest else "not the same"),
        ],
    )
    print_next("catlip", "vocab", "inspect", b)


def _show(found: "Difference", limit: int) -> None:
    for title, only in (("added", found.added), ("removed", found.removed)):
        _table(title, [("support", "right")], [(each.synset, f"{each.support:,}") for each in only], limit)
    changed = [each for each in found.both if each.ratio]
    # By how far from 1 on either side: half is as far as twice.
    changed.sort(key=lambda each: (-max(each.ratio or 0, 1 / (each.ratio or 1)), each.class_id_a))
    rows = [
        (each.synset, f"{each.support_a:,}", f"{each.support_b:,}", f"{each.ratio:.2f} times")
        for each in changed
        if each.ratio and abs(each.ratio - 1) > 0.005
    ]
    _table("more or less frequent", [("in A", "right"), ("in B", "right"), ("share", "right")], rows, limit)
    moved = sorted(found.moved, key=lambda each: (-abs(each.class_id_a - each.class_id_b), each.class_id_a))
    rows = [(each.synset, f"{each.class_id_a:,}", f"{each.class_id_b:,}", "") for each in moved]
    _table("moved", [("id in A", "right"), ("id in B", "right"), ("", "left")], rows, limit)
    senses = [(each.term, _told(each.a), _told(each.b)) for each in found.senses]
    _table("terms with another sense", [("in A", "left"), ("in B", "left")], senses, limit)


def _table(title: str, columns: list[tuple[str, str]], rows: Sequence[tuple[str, ...]], limit: int) -> None:
    if not rows:
        return
    print_table([(title, "left"), *columns], rows, limit)
    stdout.print()


def _told(synsets: dict[str, int]) -> str:
    return ", ".join(f"{synset} {count:,}" for synset, count in synsets.items()) or "no class"
