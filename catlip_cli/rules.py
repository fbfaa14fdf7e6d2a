"""The options that say how captions are labelled; `labels build` and `labels explain` share them."""

import functools
from collections.abc import Callable
from typing import Any

import click

from catlip_cli.options import Decorator

# The names in labelgen, which is not imported for a help text; a test compares them.
LABELERS = ("noun-chunks", "pos-nouns", "corenet")
POLICIES = ("first", "visual", "context")
NOUNS = ("chunks", "tags", "distilled")
FAMILIES = ("attributes", "actions", "compounds", "hypernyms")


class Families(click.ParamType[dict[str, int | None]]):
    """`attributes,actions=50` → family → its own threshold, or None."""

    name = "families"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int | None]:  # noqa: ANN401
        """Raises BadParameter for an unknown family or a threshold that is no number."""
        if isinstance(value, dict):
            return value
        found: dict[str, int | None] = {}
        for item in filter(None, str(value).split(",")):
            family, equals, threshold = item.strip().partition("=")
            if family not in FAMILIES:
                self.fail(f"there is no family {family!r}; there are {', '.join(FAMILIES)}.", param, ctx)
            if equals and not threshold.isdecimal():
                self.fail(f"the threshold of {family} is {threshold!r} and should be a number.", param, ctx)
            found[family] = int(threshold) if equals else None
        return found


_OPTIONS = [
    click.option("--nouns", type=click.Choice(NOUNS), default=NOUNS[0], show_default=True,
                 help="Noun chunks as spaCy parses them; told from its tags alone, 1.3 times as fast; or from a "
                 "table that learns from spaCy on a sample of the corpus, ten times as fast or more."),
    click.option("--policy", type=click.Choice(POLICIES),
                 help="Which of its senses a term gets: WordNet's first; the one that a picture is likeliest to show; "
                 "or that, weighed against its company.  [default: context; first for the other labelers]"),
    click.option("--senses", metavar="FILE", help="Senses by hand: lines of term<TAB>synset, or term<TAB>!synset."),
    click.option("--terms", metavar="FILE",
                 help="More terms than WordNet has: lines of term<TAB>synset; *<TAB>- first drops the built-in ones."),
    click.option("--modifiers", is_flag=True, help="Label nouns before a noun too: kitchen in “kitchen table”."),
    click.option("--families", type=Families(), default="", metavar="A,B=V",
                 help=f"Label more than nouns: {', '.join(FAMILIES)}; each may have a threshold of its own."),
    click.option("--hypernym-depth", type=click.IntRange(min=1), default=2, show_default=True, metavar="N",
                 help="Steps up that hypernyms go."),
    click.option("--no-stoplist", is_flag=True,
                 help="Label words about the picture too (image, view, background, left)."),
]  # fmt: skip


def labeler_option(default: str | None) -> Decorator:
    """`--labeler`; without a default a command takes all of them."""
    return click.option(
        "--labeler", type=click.Choice(LABELERS), default=default, show_default=default is not None,
        help="Terms in noun chunks; the paper's single nouns; or the published code's rule."
        + ("" if default else "  [default: all, side by side]"),
    )  # fmt: skip


def labeling_rules(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, as one argument `rules`: fields of labelgen.options.Options."""

    @functools.wraps(command)
    def with_rules(
        *args: Any,  # noqa: ANN401
        nouns: str,
        policy: str | None,
        senses: str | None,
        terms: str | None,
        modifiers: bool,
        families: dict[str, int | None],
        hypernym_depth: int,
        no_stoplist: bool,
        **others: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        rules: dict[str, Any] = {
            "nouns": nouns,
            "senses": policy,
            "pins": senses,
            "terms": terms,
            "modifiers": modifiers,
            "families": families,
            "hypernym_depth": hypernym_depth,
            "stoplist": False if no_stoplist else None,
        }
        return command(*args, rules=rules, **others)

    for option in reversed(_OPTIONS):  # the one that is put on last stands first in the help
        with_rules = option(with_rules)
    return with_rules
