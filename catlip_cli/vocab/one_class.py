"""What `catlip vocab inspect --class` says of one class."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from catlip_cli.terminal import print_facts, print_json, print_next, print_table, stdout

if TYPE_CHECKING:
    from labelgen.audit.oneclass import Neighbour, OneClass
    from labelgen.audit.totals import Totals
    from labelgen.meaning.atlas import Atlas
    from labelshards.labelset import LabelSet

_NEIGHBOURS = 8


def show(
    label_set: "LabelSet", atlas: "Atlas | None", name: str, read_totals: Callable[[], "Totals"], *, as_json: bool
) -> None:
    """Print all about the class called `name`; of several with that word, the most frequent one."""
    from labelgen.audit import totals
    from labelgen.audit.find import find_classes
    from labelgen.audit.oneclass import describe

    found = find_classes(label_set, name)
    support = totals.support_here(label_set, read_totals)
    told = describe(label_set, atlas, support, found[0])
    others = [label_set.vocabulary.synsets[each] for each in found[1:]]
    if as_json:
        print_json({"class": told, "others_of_that_word": others})
        return
    _show(told)
    if others:
        stdout.print(f"Other classes with the word {name!r}: {', '.join(others)}.", markup=False, soft_wrap=True)
    above = told.around.path[-2:-1] or [told.synset]
    print_next("catlip", "vocab", "inspect", label_set.root, "--under", above[0])


def _show(told: "OneClass") -> None:
    share = "" if told.share is None else f", {100 * told.share:.2f} % of the samples"
    facts = [
        ("gloss", told.gloss),
        ("words", ", ".join(told.lemmas)),
        ("class", f"{told.class_id} of family {told.family}, {told.wnid}, {told.lexname}"),
        ("support", f"{told.support:,}{share}"),
        ("above", " > ".join(told.around.path[:-1]) or "nothing"),
    ]
    if told.ambiguity:
        other = f"; they may mean {told.other_sense}" if told.other_sense else ""
        facts.append(
            ("ambiguity", f"{100 * told.ambiguity:.0f} % of its support comes from terms with other senses{other}")
        )
    if told.flags:
        facts.append(("flags", ", ".join(told.flags)))
    print_facts(told.synset, facts)
    if told.terms:
        cells = [
            (term.term, f"{term.count:,}", caption) if not number else ("", "", caption)
            for term in told.terms
            for number, caption in enumerate(term.captions or [""])
        ]
        stdout.print()
        print_table([("term", "left"), ("count", "right"), ("captions", "left")], cells)
        if told.more_terms:
            stdout.print(f"… and {told.more_terms:,} more terms.", style="dim")
    if told.associates:
        stdout.print()
        print_table(
            [("comes with", "left"), ("samples", "right"), ("lift", "right")],
            [(synset, f"{each.support:,}", f"{each.lift:,.1f}") for synset, each in told.associates],
        )
    around = [("above", told.around.above), ("beside", told.around.beside), ("below", told.around.below)]
    lines = [(side, *_neighbour(each)) for side, neighbours in around for each in neighbours[:_NEIGHBOURS]]
    if lines:
        stdout.print()
        print_table(
            [("in WordNet", "left"), ("synset", "left"), ("support", "right"), ("classes below", "right")], lines
        )
    stdout.print()


def _neighbour(each: "Neighbour") -> tuple[str, str, str]:
    return each.synset, "no class" if each.support is None else f"{each.support:,}", f"{each.below:,}"
