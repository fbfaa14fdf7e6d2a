"""Options that several commands have, so that one thing has one name and one text.

In every command options stand in one order: what goes in, what comes out, what is done, how it is run, how it is shown,
`--json`. Metavars: N counts, V is a number of samples, K of classes, X a share or a similarity, PX pixels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
from click.core import ParameterSource

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

# The names in trainer.probes.tasks, which is not imported for a help text; a test compares.
TASKS = ("linear", "knn", "fewshot", "multilabel", "zeroshot", "finetune", "segment", "detect")


class WordList(click.ParamType[list[str]]):
    """Words parted by commas, out of some."""

    name = "LIST"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Raises BadParameter for a word that is none of them."""
        words = list(dict.fromkeys(word.strip() for word in str(value).split(",")))
        for word in words:
            if word not in self._known:
                self.fail(f"{word!r} is none of {', '.join(self._known)}.", param, ctx)
        return words


def _places(_ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """`OLD=NEW` of each → old beginning of a path → new one."""
    found = {}
    for text in values:
        old, equals, new = text.partition("=")
        if not (old and equals):
            raise click.BadParameter(f"{text!r} is not OLD=NEW.", param=param)
        found[old] = new
    return found


def refuse_idle(parameters: Sequence[str], needed: str) -> None:
    """Raise UsageError if one of `parameters` is on the command line, where without `needed` nothing heeds it."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in parameters and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} goes with {needed}.")


json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
moved_option = click.option("--moved", multiple=True, callback=_places, metavar="OLD=NEW",
                            help="Where image shards lie now: below NEW what was below OLD. Repeatable.")  # fmt: skip
best_option = click.option("--best", is_flag=True,
                           help="Of a run: the best checkpoint that was evaluated, not the newest.")  # fmt: skip
weights_option = click.option("--weights", default="pretrained", show_default=True, metavar="WEIGHTS",
                              help="For a model of timm: a checkpoint FILE, or `random`; "
                              "for one of open_clip these, or a tag.")  # fmt: skip
credit_option = click.option("--credit", default="", metavar="TEXT",
                             help="Footer line of what is drawn, for the pictures' licence.")  # fmt: skip
max_classes_option = click.option("--max-classes", type=click.IntRange(min=1), metavar="K",
                                  help="Keep the K most frequent classes.")  # fmt: skip


def limit_option(default: int) -> Decorator:
    """`--limit`, of commands that print tables."""
    return click.option("--limit", type=click.IntRange(min=0), default=default, show_default=True, metavar="N",
                        help="Rows of a table that are shown; 0 for all.")  # fmt: skip


def out_option(metavar: str, what: str, *, required: bool = True, local: bool = False) -> Decorator:
    """`--out`, where it is written to. metavar: DIR, FILE, or OUT, which may be either; what: the result, in words.

    local: a path of this machine, not a URI.
    """
    kind = {"DIR": "Folder", "FILE": "File", "OUT": "File or folder"}[metavar]
    kind_of_path = click.Path(path_type=Path) if local else str
    return click.option("--out", metavar=metavar, required=required, type=kind_of_path,
                        help=f"{kind} to write: {what}.")  # fmt: skip
