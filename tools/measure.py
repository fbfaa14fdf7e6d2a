"""Holds the tree against the project's own measure of itself, which CONTRIBUTING.md states.

python -m tools.measure          a table
python -m tools.measure --json   the same numbers, and by name whatever misses the measure
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

import msgspec
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SOURCE = ("catlip_cli", "labelgen", "labelshards", "samplegen", "trainer")
PARTS = {"source": SOURCE, "benchmarks": ("benchmarks", "tools"), "tests": ("tests",)}
MOST_LINES = 400
# Rooms whose names do not say what is in them, or that everything would have to know.
EMPTY_NAMES = re.compile(r"(utils?|helpers?|misc|common|stuff|registry|registries|globals|opts)")
TEST_NAME = re.compile(r"test_[a-z0-9_]+?__[a-z0-9_]+")
ARRAYS = frozenset({"Tensor", "ndarray", "NDArray"})
STATES = frozenset({"dict", "Dict", "Mapping"})
SHAPE_NAME = re.compile(r"[a-z0-9]_([A-Z][A-Z0-9]*)$")
# `x_BCHW`, `[B, 3, H, W]`, `[rows, 7]`, a scalar, a dtype; or that any shape will do.
SHAPE_TEXT = re.compile(
    r"[a-z0-9]_[A-Z][A-Z0-9]*\b|(?<!\w)\[[\w*][^]]*\]|\b[Ss]calar\b|\bany shape\b"
    r"|\b(?:bool|u?int\d+|b?float\d*)\b"
)
# What a method leaves to the class that asks for it, and what a module says of all its functions.
SEE = re.compile(r"See `(\w+)`")
OF_ANY_SHAPE = re.compile(r"\bof any shape\b")
PRAGMA = re.compile(r"#\s*(?:noqa|fmt:|type:|pyright:|ruff:|!)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of some folders. Lines are all lines; shares are of 1, None where there is nothing to share.

    arrays: public functions that take or give tensors or arrays; tensors by name, as of a network's state, are not
    meant. shaped: those of them that say shapes or dtypes: in their names (`x_BCHW`), if the module says what the
    letters are, in their docstrings, or in those of the class or module that they leave it to. comments: lines with a
    comment for people. named: tests called `test_<what>__<case>`. What misses the measure is listed as `path` or
    `path:line name`.
    """

    modules: int
    lines: int
    lines_median: float
    lines_p90: float
    lines_max: int
    too_long: list[str]
    functions: int
    typed: float | None
    untyped: list[str]
    public: int
    documented: float | None
    undocumented: list[str]
    arrays: int
    shaped: float | None
    unshaped: list[str]
    comments: float
    named: float | None
    unnamed: list[str]
    empty_names: list[str]


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree. tests_to_source: lines of tests for a line of source."""

    parts: dict[str, Part]
    tests_to_source: float


def measure(root: Path) -> Measure:
    """Measure the Python files below `root`."""
    parts = {name: _part(root, folders) for name, folders in PARTS.items()}
    return Measure(parts=parts, tests_to_source=parts["tests"].lines / max(1, parts["source"].lines))


def _part(root: Path, folders: Sequence[str]) -> Part:
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    texts = {str(path.relative_to(root)): path.read_text() for path in paths}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    lines = {name: len(text.splitlines()) for name, text in texts.items()}
    functions = [(name, node) for name, tree in trees.items() for node in ast.walk(tree) if isinstance(node, Function)]
    public = [(name, node) for name, tree in trees.items() for node in _public(tree)]
    arrays = [(name, node) for name, node in public if isinstance(node, Function) and _passes_arrays(node)]
    told = set().union(*map(_told, trees.values()))
    tests = [(name, node) for name, node in functions if Path(name).stem[:5] == node.name[:5] == "test_"]
    untyped = [_place(name, node) for name, node in functions if not _typed(node)]
    undocumented = [_place(name, node) for name, node in public if not ast.get_docstring(node)]
    unshaped = [_place(name, node) for name, node in arrays if not _says_shapes(node, trees[name], told)]
    unnamed = [_place(name, node) for name, node in tests if not TEST_NAME.fullmatch(node.name)]
    of = sorted(lines.values()) or [0]
    return Part(
        modules=len(lines),
        lines=sum(of),
        lines_median=median(of),
        lines_p90=quantiles(of, n=10, method="inclusive")[-1] if len(of) > 1 else of[0],
        lines_max=of[-1],
        too_long=[name for name, number in lines.items() if number > MOST_LINES],
        functions=len(functions),
        typed=_share(untyped, functions),
        untyped=untyped,
        public=len(public),
        documented=_share(undocumented, public),
        undocumented=undocumented,
        arrays=len(arrays),
        shaped=_share(unshaped, arrays),
        unshaped=unshaped,
        comments=sum(map(_comments, texts.values())) / max(1, sum(of)),
        named=_share(unnamed, tests),
        unnamed=unnamed,
        empty_names=[name for name in texts if EMPTY_NAMES.fullmatch(Path(name).stem)],
    )


def _share(missing: Sequence[object], of: Sequence[object]) -> float | None:
    return 1 - len(missing) / len(of) if of else None


def _place(name: str, node: ast.AST) -> str:
    return f"{name}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}"


def _public(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | Function]:
    """The module, and what it lets others see: neither what begins with an underscore nor what stands in a function.

    Overloads and setters are told where the function itself is.
    """
    if tree.body:
        yield tree
    todo: list[ast.stmt] = list(tree.body)  # grows while it is gone through
    for node in todo:
        if isinstance(node, ast.If | ast.Try):  # as around imports of what may not be installed
            todo += node.body
        elif isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            if not {"overload", "setter"} & {_last(each) for each in node.decorator_list}:
                yield node
            if isinstance(node, ast.ClassDef):
                todo += node.body


def _last(node: ast.AST) -> str:
    """`overload` of `typing.overload`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _arguments(function: Function) -> list[ast.arg]:
    own = function.args
    return [*own.posonlyargs, *own.args, *own.kwonlyargs, *filter(None, (own.vararg, own.kwarg))]


def _typed(function: Function) -> bool:
    """Whether every argument but `self` and `cls`, and what is given back, has a type."""
    arguments = _arguments(function)
    first = arguments[:1] if arguments and arguments[0].arg in ("self", "cls") else []
    return function.returns is not None and all(each.annotation for each in arguments[len(first) :])


def _has_array(annotation: ast.expr | None) -> bool:
    """Also inside of others (`Mapping[str, list[np.ndarray]]`), and in quotes."""
    if annotation is None or _is_state(annotation):
        return False
    if isinstance(annotation, ast.BinOp):  # `dict[str, torch.Tensor] | None`
        return _has_array(annotation.left) or _has_array(annotation.right)
    words = (each.value if isinstance(each, ast.Constant) else _last(each) for each in ast.walk(annotation))
    return any(ARRAYS & set(re.findall(r"\w+", str(word))) for word in words)


def _is_state(annotation: ast.expr) -> bool:
    """Whether these are tensors by name (`dict[str, torch.Tensor]`), of whatever shapes the network has."""
    if not isinstance(annotation, ast.Subscript) or _last(annotation.value) not in STATES:
        return False
    return isinstance(annotation.slice, ast.Tuple) and list(map(_last, annotation.slice.elts)) == ["str", "Tensor"]


def _passes_arrays(function: Function) -> bool:
    return any(_has_array(each.annotation) for each in _arguments(function)) or _has_array(function.returns)


def _says_shapes(function: Function, module: ast.Module, told: Container[tuple[str, str]]) -> bool:
    """told: (class, method) of those whose own docstrings say shapes."""
    text = ast.get_docstring(function) or ""
    seen = SEE.search(text)
    if SHAPE_TEXT.search(text) or (seen and (seen[1], function.name) in told):
        return True
    return bool(OF_ANY_SHAPE.search(ast.get_docstring(module) or "")) or _is_named_by_shape(function, module)


def _told(tree: ast.Module) -> set[tuple[str, str]]:
    # By name alone: nobody imports the tree here, so which class it is cannot be asked.
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {
        (owner.name, node.name)
        for owner in classes
        for node in owner.body
        if isinstance(node, Function) and SHAPE_TEXT.search(ast.get_docstring(node) or "")
    }


def _is_named_by_shape(function: Function, module: ast.Module) -> bool:
    """Whether all arrays have names with shapes, what is given back by the function's own, of letters that are told."""
    names = [each.arg for each in _arguments(function) if _has_array(each.annotation)]
    names += [function.name] * _has_array(function.returns)
    found = [SHAPE_NAME.search(name) for name in names]
    legend = " ".join(
        ast.get_docstring(node) or "" for node in ast.walk(module) if isinstance(node, ast.Module | ast.ClassDef)
    )
    letters = {letter for each in found if each for letter in re.findall("[A-Z]", each[1])}
    return all(found) and all(re.search(rf"\b{letter}\b", legend) for letter in letters)


def _comments(text: str) -> int:
    """Lines with a comment for people."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT and not PRAGMA.match(token.string) for token in tokens)


ROWS: tuple[tuple[str, str, Callable[[Part], str]], ...] = (
    ("modules", "", lambda part: f"{part.modules:,}"),
    ("lines", "", lambda part: f"{part.lines:,}"),
    ("lines of a module, median", "<= 150", lambda part: f"{part.lines_median:.0f}"),
    ("of nine in ten, most", "", lambda part: f"{part.lines_p90:.0f}"),
    ("of the longest", "<= 400", lambda part: f"{part.lines_max:,}"),
    ("modules over 400 lines", "0", lambda part: f"{len(part.too_long):,}"),
    ("functions", "", lambda part: f"{part.functions:,}"),
    ("typed", "100 %", lambda part: _percent(part.typed)),
    ("public names", "", lambda part: f"{part.public:,}"),
    ("with a docstring", "100 %", lambda part: _percent(part.documented)),
    ("public functions on arrays", "", lambda part: f"{part.arrays:,}"),
    ("that say shapes, dtypes", "100 %", lambda part: _percent(part.shaped)),
    ("lines with a comment", "3 - 6 %", lambda part: _percent(part.comments)),
    ("named test_<what>__<case>", "100 %", lambda part: _percent(part.named)),
    ("modules named utils and alike", "0", lambda part: f"{len(part.empty_names):,}"),
)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def render(found: Measure) -> Table:
    """The table: one row a number, one column a part of the tree."""
    table = Table(caption=f"{found.tests_to_source:.2f} lines of tests for a line of source (at least 1)")
    table.add_column("", no_wrap=True)
    table.add_column("aim", justify="right", no_wrap=True)
    for name in found.parts:
        table.add_column(name, justify="right")
    for title, aim, tell in ROWS:
        table.add_row(title, aim, *map(tell, found.parts.values()))
    return table


def main(words: Iterable[str] | None = None) -> None:
    """Print the measure of this tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="all numbers and names, as JSON")
    found = measure(ROOT)
    if parser.parse_args(None if words is None else list(words)).json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        Console().print(render(found))


if __name__ == "__main__":
    main()
