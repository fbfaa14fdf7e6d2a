"""How right the labels are: every labeler and sense policy against gold data and captions judged by hand.

    python -m benchmarks.label_quality
    python -m benchmarks.label_quality --labeler noun-chunks --senses context --only names,objects --errors

Each block answers one question, a row for each labeler with its sense policy.
"""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.label_quality import gold, report, scores
from benchmarks.label_quality.goldset import GoldSet
from benchmarks.label_quality.lemmas import LemmaLabelling
from benchmarks.label_quality.questions import QUESTIONS, Questions, string_match
from catlip_cli.terminal import stderr, stdout
from labelshards.errors import CatlipError

ROWS = (
    ("corenet", "first"),
    ("pos-nouns", "first"),
    ("noun-chunks", "first"),
    ("noun-chunks", "visual"),
    ("noun-chunks", "context"),
)
DATA = Path(os.environ.get("CATLIP_TEST_DATA", gold.ROOT.parent / "shared" / "data"))


def _questions(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    asked = tuple(QUESTIONS) if value is None else tuple(value.split(","))
    if unknown := set(asked) - set(QUESTIONS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(QUESTIONS)}.")
    return asked


@click.command(help=__doc__)
@click.option("--only", "asked", callback=_questions, help=f"Questions: {','.join(QUESTIONS)}.")
@click.option("--labeler", help="Only this labeler.")
@click.option("--senses", help="Only this sense policy.")
@click.option("--errors", is_flag=True, help="List what went wrong, with its captions.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all results to this file.")
@click.option("--data", type=click.Path(path_type=Path, exists=True), default=DATA, help="Folder of the test data.")
def main(
    asked: tuple[str, ...], labeler: str | None, senses: str | None, errors: bool, json_file: Path | None, data: Path
) -> None:
    """Ask, show, and keep."""
    gold_set = GoldSet(data)
    answers: dict[str, dict[str, dict[str, Any]]] = {question: {} for question in asked}
    if "objects" in asked:
        answers["objects"]["string match"] = {
            "COCO photos": scores.score_categories(gold_set.mentioned, gold_set.mentioned, gold_set.photos)
        }
        _list("string match, objects", string_match(gold_set) if errors else [])
    for name, policy in ROWS:
        if (labeler or name, senses or policy) != (name, policy):
            continue
        row = f"{name} x {policy}"
        try:
            questions = Questions(LemmaLabelling(name, policy), gold_set)
        except CatlipError as error:
            stderr.print(f"{row} is left out: {error}", markup=False)
            continue
        for question in asked:
            start = time.monotonic()
            answers[question][row], wrong = getattr(questions, question)()
            stderr.print(f"{row}, {question}: {time.monotonic() - start:.1f} s", markup=False)
            _list(f"{row}, {question}", wrong if errors else [])
    for question, of_rows in answers.items():
        if of_rows:
            report.show(question, of_rows)
    if json_file is not None:
        results = {
            question: {row: {part: asdict(result) for part, result in answer.items()} for row, answer in rows.items()}
            for question, rows in answers.items()
        }
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def _list(title: str, lines: list[str]) -> None:
    if lines:
        stdout.print(f"{title}: {len(lines):,} wrong", style="bold", markup=False)
        for line in lines:
            stdout.print(f"  {line}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
