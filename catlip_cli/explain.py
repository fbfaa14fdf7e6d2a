"""`catlip labels explain`: why a caption gets its labels, labeler by labeler."""

from typing import TYPE_CHECKING, Any

import click

from catlip_cli.options import json_option
from catlip_cli.rules import LABELERS, NOUNS, labeler_option, labeling_rules
from catlip_cli.terminal import print_facts, print_json, print_next, print_table, stdout

if TYPE_CHECKING:
    from labelgen.explain import Told

_SENSES_SHOWN = 3
_WORDS_OF_GLOSS = 9


@click.command(short_help="Show why a caption gets its labels.")
@click.argument("caption")
@click.option("--labels", "label_set", metavar="DIR",
              help="Label set whose corpus has its say, as it had when DIR was built.")  # fmt: skip
@labeler_option(None)
@labeling_rules
@click.option("--all-senses", is_flag=True, help="Show every candidate sense with all that speaks for it.")
@json_option
def explain(
    caption: str,
    label_set: str | None,
    labeler: str | None,
    rules: dict[str, Any],
    all_senses: bool,
    as_json: bool,
) -> None:
    """Show what becomes of CAPTION: noun chunks, terms tried, candidate senses with their scores, and what is left out.

    Scores are in nats, and add up from what speaks for a sense by itself and from its company in the caption.

    \b
    Examples:
      catlip labels explain "a crane lifting steel beams"
      catlip labels explain "two glasses of wine" --labels labels --all-senses
      catlip labels explain "a red car" --families attributes,compounds --json
    """
    from labelgen.explain import explain as explain_caption
    from labelgen.options import Options

    chosen = (labeler,) if labeler else LABELERS
    options = [Options(sources=[], out="", labeler=name, **_fitting(name, rules, alone=len(chosen) == 1))
               for name in chosen]  # fmt: skip
    told = explain_caption(caption, options, label_set)
    if as_json:
        print_json({"labelers": told})
        return
    width = max(len(each.labeler) for each in told)
    print_facts(f"“{told[0].caption}”", [(each.labeler.ljust(width), ", ".join(each.labels) or "-") for each in told])
    for each in told:
        _show(each, len(each.terms) if all_senses else _SENSES_SHOWN, all_senses=all_senses)
    print_next("catlip", "labels", "build", "SOURCE...", "--out", "DIR")


def _fitting(labeler: str, rules: dict[str, Any], *, alone: bool) -> dict[str, Any]:
    """The rules for one labeler: beside others, each keeps its own way where the published rule knows no other."""
    if alone or labeler == LABELERS[0]:
        return rules
    published: dict[str, Any] = {"senses": None, "families": {}, "modifiers": False, "terms": None}
    own = published if labeler == "corenet" else {}
    return {**rules, **own, "nouns": NOUNS[0]}


def _show(told: "Told", senses_shown: int, *, all_senses: bool) -> None:
    stdout.print(f"\n{told.labeler}, senses: {told.policy}", style="bold")
    for chunk in told.chunks:
        stdout.print(f"  chunk “{chunk.text}”: looked up {', '.join(chunk.tried)}", markup=False, highlight=False)
    rows = []
    for term in told.terms:
        rows.append((term.surface, f"{term.term} ({term.role})", term.label or "-", term.why))
        shown = term.senses if all_senses else term.senses[:senses_shown]
        for sense in shown if len(term.senses) > 1 and term.label is not None else ():
            gloss = " ".join(sense.gloss.split()[:_WORDS_OF_GLOSS])
            rows.append(("", "", f"  {sense.score:+.1f} {sense.synset}", _reasons(sense) if all_senses else gloss))
    if rows:
        print_table([("words", "left"), ("term", "left"), ("label", "left"), ("why", "left")], rows)
    for word in told.dropped:
        stdout.print(f"  dropped “{word.surface}”: {word.why}", markup=False, highlight=False, style="dim")


def _reasons(sense: Any) -> str:  # noqa: ANN401
    parts = [f"{nats:+.1f} {name}" for name, nats in sense.reasons.items() if nats]
    return ", ".join(parts + [f"{nats:+.1f} {word}" for word, nats in sense.company.items()])
