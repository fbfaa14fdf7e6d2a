"""Finds in source what would run what it reads: pickles, shells, code from text, archives that unpack to any path.

Names are followed through imports (`from pickle import loads as read`), not through values: what a variable holds
cannot be seen, so arguments and methods that have one bad meaning count by their names.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Whoever names one of these, called or not, is found: `map(pickle.loads, texts)` reads pickles too.
_NAMES_TEXT = """
    pickle.load pickle.loads pickle.Unpickler marshal.load marshal.loads shelve.open shelve.Shelf
    dill.load dill.loads cloudpickle.load cloudpickle.loads joblib.load pandas.read_pickle
    torch.jit.load torch.hub.load torch.package.PackageImporter
    torch.distributed.gather_object torch.distributed.all_gather_object torch.distributed.scatter_object_list
    torch.distributed.broadcast_object_list torch.distributed.recv_object_list
    os.system os.popen os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe
    os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe os.posix_spawn
    subprocess.getoutput subprocess.getstatusoutput asyncio.create_subprocess_shell pty.spawn
    eval exec compile __import__ builtins.eval builtins.exec builtins.compile builtins.__import__
    yaml.load yaml.load_all yaml.full_load yaml.full_load_all yaml.unsafe_load yaml.unsafe_load_all
    shutil.unpack_archive
"""
NAMES = frozenset(_NAMES_TEXT.split())
# Their defaults differ between versions, so they must be told.
TOLD_WEIGHTS_ONLY = ("torch.load", "timm.models.load_state_dict")
# The only values of these arguments that are safe, whatever they are given to.
SAFE = {"weights_only": True, "shell": False, "allow_pickle": False}
ALLOW_PICKLE_PLACE = 2  # numpy.load(file, mmap_mode, allow_pickle)


class Finding(NamedTuple):
    """line: from 1. what: the name that was found, and the argument if that is what is wrong."""

    line: int
    what: str


def find(source: str) -> list[Finding]:
    """Everything unsafe in a module's text, by line. Raises SyntaxError if it is no Python."""
    tree = ast.parse(source)
    known = dict(_imported(tree))
    found = set()
    for node in ast.walk(tree):
        # A field may be called `eval`: only names that are read count.
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = _name(node, known)
            found |= {Finding(node.lineno, name)} if name in NAMES else set()
        if isinstance(node, ast.Call):
            found |= {Finding(node.lineno, what) for what in _badly_called(node, _name(node.func, known))}
    return sorted(found)


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name in this module, what it is) of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                yield (each.asname, each.name) if each.asname else (first, first)
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _name(node: ast.AST, known: Mapping[str, str]) -> str:
    """`torch.load` of whatever stands for it here. Something of a value without a name is called `.read`."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value, known)}.{node.attr}"
    return ""


def _badly_called(call: ast.Call, name: str) -> Iterator[str]:
    given = {each.arg: each.value for each in call.keywords if each.arg}
    for argument, safe in SAFE.items():
        if argument in given and not _is(given[argument], safe):
            yield f"{name} with {argument}"
    if name in TOLD_WEIGHTS_ONLY and "weights_only" not in given:
        yield f"{name} without weights_only"
    if name == "numpy.load" and len(call.args) > ALLOW_PICKLE_PLACE:
        yield f"{name} with allow_pickle"
    # Members may be called ../../.bashrc; the filter refuses those.
    if name.endswith(".extractall") and not _is(given.get("filter"), "data"):
        yield "extractall without filter='data'"


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value
