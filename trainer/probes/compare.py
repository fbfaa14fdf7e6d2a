"""Results of probes beside each other, by data and task: as rows of text, Markdown, CSV, or lines of a chart."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from labelshards.errors import CatlipError
from trainer.naming import PROBE_FOLDER, is_run
from trainer.probes import results
from trainer.probes.differences import differences
from trainer.probes.results import Result, Score, Spread

_WORDS = ("model", "protocol", "setting")
_DIFFERS = "differs in"


class Point(NamedTuple):
    """A share in [0, 1] and its standard deviation, in some setting."""

    setting: str
    mean: float
    std: float


class Line(NamedTuple):
    """What belongs together, by name."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """One chart. metric: what the shares are."""

    title: str
    metric: str
    lines: Sequence[Line]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Results of one task on one data set."""

    title: str
    results: Sequence[Result]

    @property
    def metrics(self) -> list[str]:
        """All that any of them measured, in their order."""
        return list(dict.fromkeys(name for each in self.results for score in each.scores for name in score.metrics))

    @cached_property
    def differences(self) -> list[str]:
        """What each result has otherwise than others whose model and protocol are called the same."""
        return differences(self.results)

    @property
    def words(self) -> list[str]:
        """The titles of the table's first columns, which hold words."""
        return [*_WORDS, *([_DIFFERS] if any(self.differences) else [])]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """(titles, rows): a row for each line of each result; what two commands measured alike has one."""
        metrics = self.metrics
        rows = [
            (
                *[model_name(each, score), each.protocol, score.setting, differs][: len(self.words)],
                *(said(score.metrics.get(name)) for name in metrics),
            )
            for each, differs in zip(self.results, self.differences, strict=True)
            for score in each.scores
        ]
        # Two commands may have measured the same: random weights, or one protocol beside different others.
        return [*self.words, *map(metric_title, metrics)], [list(row) for row in dict.fromkeys(rows)]


def read_all(paths: Sequence[Path], tasks: Sequence[str] | None = None) -> list[Result]:
    """The results in files, folders of files and runs, in the order of their paths; those of some `tasks`, or all.

    Raises CatlipError without any.
    """
    found = [
        each
        for each in map(results.read, dict.fromkeys(file for path in paths for file in _files(path)))
        if tasks is None or each.task in tasks
    ]
    if not found:
        of = f" of task {', '.join(tasks)}" if tasks else ""
        raise CatlipError(f"{', '.join(map(str, paths))}: no result{of}. `catlip probe` writes them to probes/*.json.")
    return found


def _files(path: Path) -> list[Path]:
    inner = path / PROBE_FOLDER
    folder = inner if inner.is_dir() or is_run(path) else path
    return sorted(folder.glob("*.json")) if path.is_dir() else [path]


def group(found: Sequence[Result]) -> list[Group]:
    """Groups in the order in which data and tasks first come. Data of the same name and sizes are the same."""
    by_data: dict[tuple[str, int, int, str], list[Result]] = {}
    for each in found:
        # Not by path: one data set may lie elsewhere on another machine.
        by_data.setdefault((each.data.name, each.data.num_train, each.data.num_test, each.task), []).append(each)
    return [
        Group(
            title=f"{task} on {name}: {len(members[0].data.classes):,} classes, {num_train:,} pictures to train on, "
            f"{num_test:,} to test",
            results=members,
        )
        for (name, num_train, num_test, task), members in by_data.items()
    ]


def to_markdown(group: Group) -> str:
    """A heading and a table."""
    titles, rows = group.table()
    marks = ["---"] * len(group.words) + ["---:"] * (len(titles) - len(group.words))
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in (titles, marks, *rows)]
    return "\n".join([f"### {group.title}", "", *lines, ""])


def to_csv(groups: Sequence[Group]) -> str:
    """One row for each number: what was measured, of what, and over how many seeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            *["data", "task", "protocol", "model", "weights", "step", "encoder", "setting"],
            *["metric", "mean", "std", "seeds", _DIFFERS],
        ]
    )
    for each, differs in (
        (each, d) for group in groups for each, d in zip(group.results, group.differences, strict=True)
    ):
        for score in each.scores:
            for name, spread in score.metrics.items():
                of = [each.data.name, each.task, each.protocol, each.model.name, each.model.weights, each.model.step]
                numbers = [spread.mean, spread.std, len(spread.values)]
                writer.writerow([*of, score.encoder, score.setting, name, *numbers, differs])
    return out.getvalue()


def panels(groups: Sequence[Group], metric: str | None) -> list[Panel]:
    """A panel for each group, a line for each model and protocol, over all results that are alike in the rest.

    Raises CatlipError if none has the metric.
    """
    found = []
    for each in groups:
        name = metric or next(iter(each.metrics), "")
        if name not in each.metrics:
            continue
        lines: dict[str, dict[str, Point]] = {}
        for result, differs in zip(each.results, each.differences, strict=True):
            for score in result.scores:
                if name in score.metrics:
                    words = [f"{model_name(result, score)}: {result.protocol}", *([differs] if differs else [])]
                    point = Point(score.setting, score.metrics[name].mean, score.metrics[name].std)
                    lines.setdefault(", ".join(words), {}).setdefault(score.setting, point)
        drawn = [Line(words, list(points.values())) for words, points in lines.items()]
        found.append(Panel(each.title.partition(":")[0], metric_title(name), drawn))
    if not found and metric is None:
        raise CatlipError("No result has a score.")
    if not found:
        known = ", ".join(dict.fromkeys(name for each in groups for name in each.metrics))
        raise CatlipError(f"--metric {metric}: no result has it. They have {known}.")
    return found


def model_name(result: Result, score: Score) -> str:
    """Who is measured in one line: a model, with the step if it is a run's; its architecture with random weights; or
    the most frequent class, which needs none."""
    if score.encoder == "majority":
        return "most frequent class"
    if score.encoder == "random":
        return f"{result.model.name}, random weights"
    return f"{result.model.name} (step {result.model.step:,})" if result.model.step is not None else result.model.name


def metric_title(name: str) -> str:
    """`top1` → `top-1`, `mean_per_class` → `mean per class`."""
    return name.replace("top", "top-").replace("_", " ")


def said(spread: Spread | None) -> str:
    """`61.2%`, with `± 0.4%` where there are several seeds."""
    if spread is None:
        return ""
    return f"{spread.mean:.1%}" + (f" ± {spread.std:.1%}" if len(spread.values) > 1 else "")
