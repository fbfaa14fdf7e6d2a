"""Answers → tables: a block for each question, a row for each labeler."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.label_quality import captions, scores
from catlip_cli.terminal import print_table, stdout

# Question → what its block says at its head.
HEADINGS = {
    "names": "Sense of 600 everyday object names, shares of names (LVIS); captions: those of {real} names are real",
    "senseval": "Sense of the nouns in running text, share right (Senseval 2 and 3)",
    "objects": "COCO categories on photos of which the objects are known",
    "classes": "Classes that some caption reaches: with the bare name, then with ever more company",
    "corpora": "What a corpus comes to; classes are synsets in more than V samples, V = {thresholds}",
    "hard": "Captions with hard words, judged by hand",
    "cost": "CPU seconds for everything but spaCy's pipeline, against those for it",
}

Answer = Mapping[str, Any]


def show(question: str, answers: Mapping[str, Answer]) -> None:
    """Print one block. `answers`: name of the row → that question's results."""
    first = next(iter(answers.values()))
    real = first["real"].names if question == "names" else 0
    heading = HEADINGS[question].format(real=real, thresholds=", ".join(map(str, scores.THRESHOLDS)))
    stdout.print(heading, style="bold", markup=False)
    rows = [[name, *cells.values()] for name, cells in ((n, CELLS[question](a)) for n, a in answers.items())]
    columns = [("labels", "left"), *((title, "right") for title in CELLS[question](first))]
    print_table(columns, rows)
    stdout.print()


def _names(answer: Answer) -> dict[str, str]:
    return {
        "alone": _percent(answer["alone"].right),
        "in captions": _percent(answer["in captions"].right),
        "wrong": _percent(answer["in captions"].wrong),
        "nothing": _percent(answer["in captions"].nothing),
        "real captions": _percent(answer["real"].right),
        "templates": _percent(answer["template"].right),
    }


def _senseval(answer: Answer) -> dict[str, str]:
    counts = {name: result.names for name, result in answer.items()}
    both = sum(result.right * result.names for result in answer.values()) / sum(counts.values())
    each = {f"{name} ({counts[name]:,})": _percent(result.right) for name, result in answer.items()}
    return {**each, "both": _percent(both)}


def _objects(answer: Answer) -> dict[str, str]:
    result = answer["COCO photos"]
    return {
        "claimed": f"{result.predicted:,}",
        "right": f"{result.right:,}",
        "precision": _percent(result.precision),
        f"of {result.mentioned} mentioned": f"{result.recalled:,}",
        "recall": _percent(result.recall),
    }


def _classes(answer: Answer) -> dict[str, str]:
    cells = {}
    for name, result in answer.items():
        cells[f"{name} ({result.classes:,})"] = f"{result.reached:,}"
        for template in captions.CLASS_TEMPLATES:
            cells[f"{name[0]}: {template}"] = f"{result.by_template[template]:,}"
    return cells


def _corpora(answer: Answer) -> dict[str, str]:
    cells = {}
    for name, result in answer.items():
        cells[f"{name} labelled"] = _percent(result.labelled)
        cells[f"{name} labels"] = f"{result.labels_per_sample:.2f}"
        cells[f"{name} classes"] = " ".join(f"{count:,}" for count in result.classes.values())
    return cells


def _hard(answer: Answer) -> dict[str, str]:
    result = answer["captions"]
    return {
        "demanded": f"{result.demanded:,}",
        "found": _percent(result.found / result.demanded),
        "forbidden ones": f"{result.forbidden:,}",
        "captions without fault": _percent(result.clean),
    }


def _cost(answer: Answer) -> dict[str, str]:
    result = answer["COCO"]
    ratio = result.rest_over_parse
    return {
        "captions": f"{result.captions:,}",
        "parse s": f"{result.parse_seconds:.1f}",
        "rest s": f"{result.rest_seconds:.1f}",
        "rest / parse": "no parse" if ratio is None else f"{ratio:.3f}",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


CELLS: dict[str, Callable[[Answer], dict[str, str]]] = {
    "names": _names,
    "senseval": _senseval,
    "objects": _objects,
    "classes": _classes,
    "corpora": _corpora,
    "hard": _hard,
    "cost": _cost,
}
