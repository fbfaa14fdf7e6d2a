"""What a study found: Markdown tables and figures, from its points and costs alone."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from benchmarks.study.arms import GROUPS, Arm
from benchmarks.study.costs import Cost
from benchmarks.study.figures import Line, Mark, Panel, draw
from benchmarks.study.place import Study
from benchmarks.study.running import Length, Point, read_points

METRICS = {
    "linear": "linear probe, CIFAR-10, top-1",
    "knn": "nearest neighbours, CIFAR-10, top-1",
    "mean_ap": "held-out labels, linear probe, mAP",
}
_TITLES, _RULES = " | ".join(METRICS.values()), " | ".join(["---"] * len(METRICS))
_AGAINST = "clip"
_MINUTE = 60.0
_PAPER = 2.7

Curves = Mapping[str, Mapping[int, Sequence[Point]]]


def write(study: Study, length: Length, costs: Mapping[str, Cost]) -> str:
    """Write report/ and return its tables."""
    curves = _curves(read_points(study))
    folder = study.out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    main = [arm for arm in GROUPS["main"] if arm.name in curves and arm.name in costs]
    parts = []
    if main:
        (folder / "study.png").write_bytes(figure(main, curves, costs, length))
        parts += [_ends(main, curves, costs, length), _reached(main, curves, costs), _costs(main, costs)]
    parts += [
        _ablation(name, [arm for arm in group if arm.name in curves], curves, length)
        for name, group in GROUPS.items()
        if name != "main" and any(arm.name in curves for arm in group)
    ]
    text = "\n\n".join(parts) + "\n"
    (folder / "study.md").write_text(text)
    return text


def figure(arms: Sequence[Arm], curves: Curves, costs: Mapping[str, Cost], length: Length) -> bytes:
    """Three measures, against epochs, against CPU minutes, and against these with CLIP's own text tower."""
    axes: list[tuple[str, bool, Callable[[str, int], float]]] = [
        ("epochs", False, lambda _, step: step * length.batch_size / length.num_samples),
        ("CPU minutes of steps", True, lambda arm, step: costs[arm].seconds_until(step) / _MINUTE),
        (
            "CPU minutes, text tower of ViT-B-16 (computed)",
            True,
            lambda arm, step: costs[arm].seconds_until(step, own_tower=True) / _MINUTE,
        ),
    ]
    rows = []
    for metric, title in METRICS.items():
        floors = [
            point.untrained[metric]
            for steps in curves.values()
            for points in steps.values()
            for point in points
            if metric in point.untrained
        ]
        rows.append(
            [
                Panel(
                    title=title,
                    x_title=x_title,
                    lines=[Line(arm.name, list(_marks(arm.name, curves, metric, x_of))) for arm in arms],
                    logarithmic=logarithmic,
                    floor=statistics.fmean(floors) if floors else None,
                )
                for x_title, logarithmic, x_of in axes
            ]
        )
    return draw(rows)


def reached(marks: Sequence[tuple[float, float]], value: float) -> float | None:
    """The x at which a curve of (x, value) first has `value`, by straight lines; None if it never does."""
    if marks[0][1] >= value:
        return marks[0][0]
    for (x, below), (next_x, above) in pairwise(marks):
        if above >= value:
            return x + (next_x - x) * (value - below) / (above - below)
    return None


def _curves(points: Sequence[Point]) -> Curves:
    """By arm and step: the points of its seeds."""
    found: dict[str, dict[int, list[Point]]] = {}
    for point in points:
        found.setdefault(point.arm, {}).setdefault(point.step, []).append(point)
    return {arm: dict(sorted(steps.items())) for arm, steps in found.items()}


def _marks(arm: str, curves: Curves, metric: str, x_of: Callable[[str, int], float]) -> Iterator[Mark]:
    for step, points in curves[arm].items():
        values = [getattr(point, metric) for point in points]
        yield Mark(x_of(arm, step), statistics.fmean(values), min(values), max(values))


def _ends(arms: Sequence[Arm], curves: Curves, costs: Mapping[str, Cost], length: Length) -> str:
    lines = [
        f"{length.steps:,} steps of {length.batch_size}, {length.num_samples:,} pictures. Mean of the seeds at the end "
        "(and the worst and the best of them).",
        "",
        f"| arm | seeds | {_TITLES} | CPU minutes of steps | with reading | with ViT-B-16's tower |",
        f"| --- | --- | {_RULES} | --- | --- | --- |",
    ]
    for arm in arms:
        step, points = list(curves[arm.name].items())[-1]
        cost = costs[arm.name]
        own = cost.seconds_until(step, own_tower=True) / _MINUTE if cost.own_tower else None
        lines.append(
            f"| {arm.name} | {len(points)} | {_values(points)} | {cost.seconds_until(step) / _MINUTE:,.1f} | "
            f"{cost.seconds_until(step, reading=True) / _MINUTE:,.1f} | {'' if own is None else f'{own:,.1f}'} |"
        )
    return "\n".join(lines)


def _values(points: Sequence[Point]) -> str:
    cells = []
    for metric in METRICS:
        values = [100 * getattr(point, metric) for point in points]
        cells.append(f"{statistics.fmean(values):.1f} ({min(values):.1f} to {max(values):.1f})")
    return " | ".join(cells)


def _reached(arms: Sequence[Arm], curves: Curves, costs: Mapping[str, Cost]) -> str:
    """When each arm has CLIP's best, and how much less time than CLIP's that was."""
    if _AGAINST not in curves:
        return ""
    lines = [
        "CPU minutes of steps until the mean of the seeds has CLIP's best, by straight lines between points; behind "
        f"it CLIP's time ÷ this, as trained, and with ViT-B-16's text tower. The paper has {_PAPER}.",
        "",
        f"| arm | {_TITLES} |",
        f"| --- | {_RULES} |",
    ]
    cells: dict[str, list[str]] = {arm.name: [] for arm in arms}
    for metric in METRICS:
        clip = list(_marks(_AGAINST, curves, metric, lambda _, step: float(step)))
        best = max(clip, key=lambda mark: mark.mean)
        clip_times = [costs[_AGAINST].seconds_until(round(best.x), own_tower=own) for own in (False, True)]
        for arm in arms:
            marks = [(mark.x, mark.mean) for mark in _marks(arm.name, curves, metric, lambda _, step: float(step))]
            step = reached(marks, best.mean)
            if step is None:
                cells[arm.name].append(f"never {100 * best.mean:.1f}")
                continue
            times = [costs[arm.name].seconds_until(round(step), own_tower=own) for own in (False, True)]
            ratios = [clip_time / time for clip_time, time in zip(clip_times, times, strict=True)]
            cells[arm.name].append(f"{times[0] / _MINUTE:,.1f}: {ratios[0]:.1f} x, {ratios[1]:.0f} x")
    return "\n".join([*lines, *(f"| {name} | {' | '.join(found)} |" for name, found in cells.items())])


def _costs(arms: Sequence[Arm], costs: Mapping[str, Cost]) -> str:
    lines = [
        "CPU milliseconds of a step by part of the run, the least that was seen (and the median); and of reading its "
        "pictures. The last column is computed from steps of smaller batches.",
        "",
        "| arm | a step | reading | with ViT-B-16's tower |",
        "| --- | --- | --- | --- |",
    ]
    for arm in arms:
        cost = costs[arm.name]
        reading = ", then ".join(f"{1e3 * stage.reading:,.0f}" for stage in cost.stages)
        own = "" if cost.own_tower is None else f"{1e3 * cost.own_tower:,.0f}"
        lines.append(f"| {arm.name} | {cost.spread()} | {reading} | {own} |")
    return "\n".join(lines)


def _ablation(name: str, arms: Sequence[Arm], curves: Curves, length: Length) -> str:
    """The arms of a group at their ends, below the main ones that they are to be compared with."""
    beside = [arm for arm in GROUPS["main"][:2] if arm.name in curves]
    lines = [
        f"Group {name}, after {length.steps:,} steps:",
        "",
        f"| arm | seeds | {_TITLES} |",
        f"| --- | --- | {_RULES} |",
    ]
    for arm in [*beside, *arms]:
        points = list(curves[arm.name].values())[-1]
        lines.append(f"| {arm.name} | {len(points)} | {_values(points)} |")
    return "\n".join(lines)
