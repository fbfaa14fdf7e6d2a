"""`catlip probe`: options → trainer.probes → tables."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catlip_cli import terminal
from catlip_cli.compare import compare
from catlip_cli.matches import match_names, print_matches
from catlip_cli.options import TASKS, WordList, best_option, json_option, out_option, weights_option

if TYPE_CHECKING:
    from trainer.probes.probing import Report
    from trainer.probes.results import Result

# The protocols of the tasks that have several, the usual one first.
PROTOCOLS = {
    "linear": ("sweep", "catlip", "dinov2", "lbfgs"),
    "finetune": ("catlip", "strong"),
    "segment": ("linear", "deeplab"),
}
# The tasks whose settings --set changes; those of the others are their protocol's.
SETTABLE = ("zeroshot", "finetune", "segment", "detect")
INITS = ("zeros", "random", "transfer")
_ENCODERS = {"model": "this model", "random": "random weights", "majority": "most frequent class"}


class _Fractions(click.ParamType[list[float]]):
    """`1%,10%,100%`."""

    name = "LIST"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        found = []
        for word in str(value).split(","):
            number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", word)
            if number is None or not 0 < float(number[1]) <= 100:
                self.fail(f"{word!r} is no share of the data; write it as 10%.", param, ctx)
            found.append(float(number[1]) / 100)
        return found


class _WithCompare(click.Group):
    """A command with an argument of its own, `catlip probe MODEL`, beside which others have names of their own."""

    allow_interspersed_args = True  # as commands have it, and groups have not

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        named = self.commands.get(args[0]) if args else None
        if named is not None:
            return named.make_context(f"{info_name} {named.name}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return click.Command.parse_args(self, ctx, args)  # a group's would take MODEL for a command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (as click has it)
        return click.Command.invoke(self, ctx)


@click.command(cls=_WithCompare, subcommand_metavar="", no_args_is_help=False)
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", type=click.Path(path_type=Path),
              help="Labelled pictures, in two splits.")  # fmt: skip
@click.option("--test", metavar="DATA", type=click.Path(path_type=Path),
              help="The test split, if it lies elsewhere; DATA trains.")  # fmt: skip
@weights_option
@best_option
@out_option("DIR", "results and features; without it the run's, or ./probes", required=False, local=True)
@click.option("--task", "tasks", type=WordList(TASKS), default="linear", show_default=True, metavar="LIST",
              help=f"Tasks, of {', '.join(TASKS)}.")  # fmt: skip
@click.option(
    "--protocol",
    "protocols",
    type=WordList(sorted({each for known in PROTOCOLS.values() for each in known})),
    metavar="LIST",
    help="Protocols of them. "
    f"{'; '.join(f'{task}: ' + ', '.join(known) for task, known in PROTOCOLS.items())}.  [default: the first]",
)
@click.option("--init", "inits", type=WordList(INITS), default="zeros", show_default=True, metavar="LIST",
              help=f"What linear heads begin with: {', '.join(INITS)} (rows of the label head).")  # fmt: skip
@click.option("--fraction", "fractions", type=_Fractions(), default="100%", show_default=True, metavar="LIST",
              help="Shares of the training pictures for linear heads and finetune, as 1%,10%,100%.")  # fmt: skip
@click.option("--seeds", "num_seeds", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Seeds of each measurement, for its spread.")  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Change one setting of a task, as finetune.epochs=3; see docs/probes.md. Repeatable.")  # fmt: skip
@click.option("--no-random", is_flag=True,
              help="Leave out the encoder of the same architecture with random weights.")  # fmt: skip
@json_option
def probe(
    model: str,
    data: Path,
    test: Path | None,
    weights: str,
    best: bool,
    out: Path | None,
    tasks: list[str],
    protocols: list[str] | None,
    inits: list[str],
    fractions: list[float],
    num_seeds: int,
    overrides: tuple[str, ...],
    no_random: bool,
    as_json: bool,
) -> None:
    """Measure what an encoder knows.

    MODEL is a run, a folder with an exported model, a model of timm, or open_clip:NAME. DATA holds train/ and test/
    (or val/): folders of classes, WebDataset tars with .cls, Parquet with pictures and labels, COCO's
    instances.json, label sets, or images/ and masks/; or they are two such places, with --test. Features are
    computed once and kept. Beside the model stands one with random weights, so that the numbers say something.
    `catlip probe compare RESULTS...` sets results beside each other.

    \b
    Example:
      catlip probe demo/run --data demo/data/objects --fraction 10%,100%
    """
    _check_asked(tasks, protocols or [], overrides)
    from trainer.naming import kind_of_model
    from trainer.probes.data.split import require

    kind_of_model(model, best=best)  # a mistyped path is told before torch is there, which takes seconds
    for path in (data, test):
        if path is not None:
            require(path)
    from trainer import distributed, opening
    from trainer.probes import probing
    from trainer.probes.data.opening import open_splits
    from trainer.probes.probe import Asked
    from trainer.probes.tasks import TASKS as PROBES_OF

    with distributed.joined() as world, _phases(world.is_main) as report:
        splits = open_splits(data, test, report)
        opened = opening.open_model(model, weights, world.device, best=best)
        folder = out or opened.folder or Path("probes")
        asked = Asked(
            opened=opened,
            splits=splits,
            data=data,
            test=test,
            out=folder,
            protocols=protocols or [],
            fractions=fractions,
            inits=inits,
            match=match_names,
            overrides=overrides,
            seeds=range(num_seeds),
            with_random=not no_random,
            world=world,
        )
        found = probing.measure(asked, [probe for task in tasks for probe in PROBES_OF[task](asked)], report)
    if not world.is_main:
        return
    if as_json:
        terminal.print_json({"out": str(folder / "probes"), "results": found})
        return
    for result in found:
        _print(result)
    _print_left_out(found)
    terminal.stdout.print(f"Results are in {folder / 'probes'}.", markup=False, soft_wrap=True)
    terminal.print_next("catlip", "probe", "compare", str(folder / "probes"))


def _check_asked(tasks: list[str], protocols: list[str], overrides: tuple[str, ...]) -> None:
    """Raise UsageError for what is of no task that was asked for."""
    for protocol in protocols:
        if not any(protocol in PROTOCOLS.get(task, ()) for task in tasks):
            raise click.UsageError(f"--protocol {protocol} is of none of {', '.join(tasks)}.")
    settable = [task for task in tasks if task in SETTABLE]
    for override in overrides:
        if override.partition(".")[0] not in settable:
            have = f"begin with a task that is asked for ({', '.join(settable)})" if settable else "none is asked for"
            raise click.UsageError(f"--set {override}: {', '.join(SETTABLE)} have settings; {have}.")


def _print(result: "Result") -> None:
    from trainer.probes.compare import metric_title, said

    step = f" (step {result.model.step:,})" if result.model.step is not None else ""
    name = f"{result.task}, protocol {result.protocol}"
    terminal.stdout.print(
        f"{result.model.name}{step} on {result.data.path}: {name}; {len(result.data.classes)} classes, "
        f"{result.data.num_train:,} pictures to train on, {result.data.num_test:,} to test",
        style="bold",
        markup=False,
        soft_wrap=True,
    )
    metrics = list(result.scores[0].metrics)
    chosen = list(
        dict.fromkeys(key for score in result.scores for key in score.chosen if not key.startswith("held-out"))
    )
    rows = []
    for score in result.scores:
        picked = [score.chosen.get(key, "") for key in chosen]
        rows.append([_ENCODERS[score.encoder], score.setting, *map(said, score.metrics.values()), *picked])
    if result.data.chance is not None:
        blanks = [""] * (len(metrics) - 1 + len(chosen))
        of = "order at random" if metrics[0] == "mAP" else "most frequent class"
        rows.append([of, "", f"{result.data.chance:.1%}", *blanks])
    titles = [*map(metric_title, metrics), *chosen]
    terminal.print_table([("encoder", "left"), ("setting", "right"), *((title, "right") for title in titles)], rows)
    if result.matches:
        print_matches(result.matches)


probe.add_command(compare)


def _print_left_out(results: "list[Result]") -> None:
    left_out: Counter[str] = Counter()
    for result in results:
        left_out |= Counter(result.data.left_out)  # no sum: they leave out the same pictures, or a few more
    for reason, count in left_out.items():
        terminal.stdout.print(f"Left out: {count:,} ({reason}).", markup=False)
    if missing := results[0].data.classes_without_test:
        terminal.stdout.print(f"Classes without test pictures: {missing:,}.")


@contextmanager
def _phases(shown: bool) -> Iterator["Report"]:
    """A progress bar for each thing that is reported, one after the other; `shown` in one process alone."""
    if not shown:
        yield lambda *_: None
        return
    with ExitStack() as stack:
        current: tuple[str, terminal.Ticker] | None = None

        def report(done: int, total: int, what: str) -> None:
            nonlocal current
            if current is None or current[0] != what:
                stack.close()
                current = what, stack.enter_context(terminal.progress(what, total, started_at=done))
            current[1].update(done, total=total)

        yield report
