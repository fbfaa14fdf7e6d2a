"""All commands speak as one: the same thing has one name and one text, in one order. What does differ is named here."""

import ast
import os
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from tests.catlip_cli.commands import all_commands, all_helps, parse

SOURCE = Path(__file__).parents[2] / "catlip_cli"
# The order of options, wherever they stand.
ORDER = (
    # what goes in
    *("--data", "--test", "--labels", "--against"),
    *("--input-format", "--caption-key", "--key-column", "--image-column", "--image-root", "--captions-from"),
    *("--vocabulary", "--vocab", "--weights", "--best", "--last-step", "--moved"),
    # what comes out
    *("--out", "--csv", "--parquet", "--html", "--sheet", "--gallery", "--plot"),
    # what is done
    *("--recipe", "--class", "--filter", "--split", "--merge", "--deny", "--under", "--alpha", "--term"),
    *("--top", "--threshold", "--thresholds", "--roll-up", "--max-classes", "--goal"),
    *("--labeler", "--nouns", "--policy", "--senses", "--terms", "--modifiers", "--families", "--hypernym-depth"),
    *("--no-stoplist", "--distilled-captions", "--distilled-floor", "--keep-captions", "--no-keep-candidates"),
    *("--task", "--protocol", "--init", "--fraction", "--seeds", "--metric", "--set", "--allow-change", "--no-random"),
    *("--format", "--backbone-only", "--license", "--push-to-hub", "--private", "--deep"),
    *("--scenes", "--heldout", "--image-size", "--seed"),
    # how it is run
    *("--engine", "--workers", "--slice", "--retry-failed", "--rebuild", "--max-bad-fraction"),
    *("--print-recipe", "--plan", "--processes", "--dry-run"),
    # how it is shown
    *("--all-senses", "--sort", "--limit", "--thumbnails", "--count", "--credit"),
    "--json",
)
# Options whose name means more than one thing, because the field calls both so.
TWO_THINGS = {
    "--threshold": "of samples for classes, of probabilities for tags",
    "--dry-run": "of a training, and of sending to a hub",
    "--json": "of a summary; of each picture, where tags are printed",
}
# Options that may be given again in one command and not in another.
ONCE_OR_MORE = {"--labels": "a run learns from several", "--under": "pruned to several, looked at one by one"}
# What a number counts, or its unit; each text of an option with a number has one of these.
UNITS = (
    *("captions", "classes", "F1", "pictures", "pixels", "probability", "processes", "rows", "samples", "scenes"),
    *("seed", "share", "similarity", "steps", "tags"),
)


def options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    for param in command.params:
        if isinstance(param, click.Option):
            yield param.opts[0], param


def everywhere() -> dict[str, list[tuple[str, click.Option]]]:
    """An option's name → the commands that have it, and what it is there."""
    found: dict[str, list[tuple[str, click.Option]]] = {}
    for command_name, command in all_commands().items():
        for name, option in options(command):
            found.setdefault(name, []).append((command_name, option))
    return found


def kind(option: click.Option) -> str:
    """A path is a text, too; ranges differ in their ends alone."""
    name = option.type.name
    return "text" if name == "path" else name


def arguments(line: str) -> list[str]:
    """What a shell would hand to catlip."""
    words = shlex.split(os.path.expandvars(line))
    words = words[words.index("catlip") + 1 :]
    return words[: next((at for at, word in enumerate(words) if word in ("|", ">")), len(words))]


@pytest.mark.parametrize("name", all_helps())
def test_help__ends_with_examples_that_parse(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    command = all_helps()[name]
    title, *lines = (command.epilog or "").removeprefix("\b\n").splitlines()
    assert title.startswith("Example")
    assert any(f"catlip {name}" in line for line in lines)
    for line in lines:
        parse(arguments(line))
    help_text = command.get_help(click.Context(command))
    assert help_text.endswith("".join(f"\n  {line}" for line in [title, *lines]))


def test_next_commands__parse() -> None:
    """Every `Next: catlip …`; a word that is known only when it runs is any word."""
    found = 0
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            words = _words(node)
            if words[:1] == ["catlip"]:
                found += 1
                parse(words[1:])
    assert found > 15


def _words(node: ast.AST) -> list[str]:
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "print_next"):
        return []
    words: list[str] = []
    for each in node.args:
        inner = each.value if isinstance(each, ast.Starred) else each
        words += map(_word, inner.elts if isinstance(inner, ast.Tuple) else [inner])
    return words


def _word(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "any" for part in parts)


def test_options__stand_in_one_order() -> None:
    for name, command in all_commands().items():
        places = [ORDER.index(option) for option, _ in options(command)]
        assert all(a < b for a, b in pairwise(places)), name
    assert set(ORDER) == set(everywhere()), "and nothing else stands here"


@pytest.mark.parametrize("name", everywhere())
def test_option__is_one_thing(name: str) -> None:
    uses = [option for _, option in everywhere()[name]]
    assert len({kind(option) for option in uses}) == 1 or name in ("--format", *TWO_THINGS)
    if name not in ONCE_OR_MORE:
        assert len({option.multiple for option in uses}) == 1
    if name == "--out":  # what is written decides: a folder, a file, or either
        heads = {"DIR": "Folder to write: ", "FILE": "File to write: ", "OUT": "File or folder to write: "}
        assert all((option.help or "").startswith(heads[str(option.metavar)]) for option in uses)
    elif name not in TWO_THINGS:
        assert len({option.metavar for option in uses}) == 1
        assert len({tuple((option.help or "").split()[:2]) for option in uses}) == 1


def test_exceptions__are_still_true() -> None:
    found = everywhere()
    for name in TWO_THINGS:
        assert len({option.help for _, option in found[name]}) > 1, name
    for name in ONCE_OR_MORE:
        assert len({option.multiple for _, option in found[name]}) == 2, name


@pytest.mark.parametrize("name", everywhere())
def test_option__says_what_it_takes(name: str) -> None:
    for command, option in everywhere()[name]:
        text = option.help or ""
        assert text.partition("  [")[0].endswith("."), command
        assert ("Repeatable" in text) == option.multiple, command
        if option.is_flag or isinstance(option.type, click.Choice):
            continue
        assert option.metavar is not None, f"{command}: no type's name stands for what is given"
        if isinstance(option.type, click.IntRange | click.FloatRange):
            assert any(unit in text.lower() for unit in UNITS), f"{command}: of what?"


@pytest.mark.parametrize("name", all_commands())
def test_json__every_command_has_it(name: str) -> None:
    """Each ends with a summary."""
    assert "--json" in dict(options(all_commands()[name]))


def test_groups__say_all_of_each_command() -> None:
    for name, group in all_helps().items():
        if name and isinstance(group, click.Group):
            for command in group.commands.values():
                assert command.short_help == command.get_short_help_str(limit=60), "it would be cut off"
                assert command.short_help.endswith(".")
