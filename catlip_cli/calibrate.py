"""`catlip calibrate`: options → trainer.tagging → a threshold for each class."""

import re
from typing import TYPE_CHECKING

import click

from catlip_cli import pictures as over
from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.tagging.calibration import Goal


class _GoalType(click.ParamType["Goal"]):
    """`f1`, or `precision=0.9`."""

    name = "GOAL"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> "Goal":
        """Raises BadParameter for what is no goal."""
        from trainer.tagging.calibration import Goal

        if value == "f1":
            return Goal()
        number = re.fullmatch(r"precision=(0?\.\d+|1(?:\.0+)?)", str(value))
        if number is None or not 0 < float(number[1]) <= 1:
            self.fail(f"{value!r} is neither f1 nor precision=0.9.", param, ctx)
        return Goal(precision=float(number[1]))


@click.command()
@click.argument("model")
@click.option("--labels", required=True, metavar="DIR", help="Label set with the model's vocabulary, best held out.")
@click.option("--out", required=True, metavar="FILE", help="Parquet file with a threshold for each class.")
@click.option("--goal", type=_GoalType(), default="f1", show_default=True,
              help="f1; or precision=0.9: as many tags as are right so often.")  # fmt: skip
@click.option("--pictures", "most", type=click.IntRange(1), default=50_000, show_default=True, metavar="N",
              help="Look at so many pictures, drawn evenly.")  # fmt: skip
@over.best_option
@over.moved_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def calibrate(
    model: str,
    labels: str,
    out: str,
    goal: "Goal",
    most: int,
    best: bool,
    moved: tuple[str, ...],
    as_json: bool,
) -> int:
    """Find a threshold for each class of MODEL, on pictures whose labels are known.

    MODEL is a run, or an exported folder with head and vocabulary. Classes with fewer than five labelled pictures share
    one threshold. A caption does not name everything that is in its picture, so real precision is higher than what is
    reported.

    \b
    Example:
      catlip calibrate demo/run --labels demo/heldout-labels --out demo/thresholds.parquet
    """
    from trainer.distributed import default_device
    from trainer.opening import PRETRAINED, open_model
    from trainer.predictions import open_matching
    from trainer.tagging import calibration, counts, tagger

    places = dict(terminal.old_and_new(text) for text in moved)
    encoder = open_model(model, PRETRAINED, default_device(), best=best).encoder
    vocabulary = tagger.vocabulary_of(encoder)
    label_set = open_matching(vocabulary, labels)
    with terminal.progress("Calibrating", min(most, label_set.manifest.totals.images)) as ticker:
        found = counts.count(encoder, label_set, most, places, lambda done, _total: ticker.update(done))
    table = calibration.calibrate(found, vocabulary, goal)
    calibration.write_thresholds(table, out)
    seen = calibration.overview(table)
    if as_json:
        terminal.print_json(
            {"goal": str(goal), "pictures": found.pictures, "problems": found.problems, "classes": seen}
        )
        return 0
    terminal.print_facts(
        f"Wrote {out}, thresholds for {goal}",
        [
            ("pictures", f"{found.pictures:,}"),
            *[("left out", f"{number:,} ({reason})") for reason, number in found.problems.items()],
            ("classes", f"{seen.own:,} with a threshold of their own, {seen.pooled:,} that share one"),
            ("never tags", f"{seen.never:,}, which do not reach the goal"),
            ("median threshold", "none" if seen.median_threshold is None else f"{seen.median_threshold:.3f}"),
        ],
    )
    terminal.print_next(f"catlip tag {model} PICTURE... --thresholds {out}")
    return 0
