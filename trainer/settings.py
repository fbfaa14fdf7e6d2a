"""Settings as people write them: a TOML recipe, and `--set key=value` on top, checked and made a struct.

Which settings there are is said by the struct that takes them. Nothing here imports torch, which takes seconds.
"""

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from labelshards.errors import CatlipError

T = TypeVar("T", bound=msgspec.Struct)

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MANY_KEYS = 40
_ADVICE = "`catlip train --print-recipe` shows all settings."


def read_recipe(recipe: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises CatlipError if it is none."""
    try:
        return tomllib.loads(recipe.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CatlipError(f"There is no recipe {recipe}. Name a TOML file, like those in recipes/.") from error
    except (ValueError, RecursionError) as error:  # of what is no TOML; whole numbers have 4,300 digits at most
        raise CatlipError(f"{recipe} is not valid TOML: {error}.") from error


def read_overrides(overrides: Sequence[str]) -> Iterator[tuple[str, object]]:
    """(key, value) of each `key=value`, a value that is not TOML being a string. Raises CatlipError for other forms."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise CatlipError(f"--set {override}: write it as key=value, for example --set optim.lr=5e-4.")
        yield key.strip(), _value(text.strip())


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def assign(tree: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key in nested tables, which are made where they are missing. Raises CatlipError if one cannot be."""
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise CatlipError(f"{key} cannot be set: {table} is {tree!r}, no table.")
    tree[name] = value


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables → dotted keys, depth first, in order."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def as_toml(value: object) -> str:
    """A setting's value, in the types of JSON, on one line."""
    if isinstance(value, dict):
        pairs = [f"{as_toml(key)} = {as_toml(each)}" for key, each in value.items() if each is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    # Text, numbers and truth are written alike in JSON and in TOML, but for DEL, which TOML wants spelled.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def refuse_unknown(keys: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise CatlipError for the first of `keys` that is not `known`, with those that are near; where: it was given."""
    known = list(known)
    for key in keys:
        if key in known:
            continue
        if within := next((each for each in known if each.startswith(f"{key}.")), None):
            raise CatlipError(f"{where}: {key} is a table. Name one of its settings, as {within}.")
        if near := _near(key, known):
            raise CatlipError(f"{where}: unknown key {key}; did you mean {' or '.join(near)}?")
        there_are = f"Known keys: {', '.join(known)}." if len(known) <= _MANY_KEYS else _ADVICE
        raise CatlipError(f"{where}: unknown key {key}. {there_are}")


def _near(key: str, known: Sequence[str]) -> list[str]:
    """What was meant, probably: what is alike in the same table, and what has the name in another one."""
    table, _, name = key.rpartition(".")
    beside = {each.rpartition(".")[2]: each for each in known if each.rpartition(".")[0] == table}
    alike = difflib.get_close_matches(name, beside, n=1) or [each for each in beside if name in each]
    same = [each for each in known if each.rpartition(".")[2] == name]
    if alike or same:
        return [*(beside[each] for each in alike), *same]
    names = {each.rpartition(".")[2]: each for each in known}
    return [names[each] for each in difflib.get_close_matches(name, names, n=1, cutoff=0.8)]


def refuse_impossible(settings: dict[str, Any]) -> None:
    """Raise CatlipError for NaN, infinity, and whole numbers that no array holds, in whatever list or table."""
    for key, value in settings.items():
        if isinstance(value, list):
            refuse_impossible({f"{key}[{place}]": each for place, each in enumerate(value)})
        elif isinstance(value, dict):
            refuse_impossible({f"{key}.{name}": each for name, each in value.items()})
        elif isinstance(value, float) and not math.isfinite(value):
            raise CatlipError(f"{key}: {value} is no number that can be computed with.")
        elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
            raise CatlipError(f"{key}: whole numbers have 64 bits at most.")


def convert(tree: dict[str, Any], kind: type[T], prefix: str = "") -> T:
    """The struct that `tree` says. Raises CatlipError that names the key, after `prefix`, and what is wanted there."""
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        key = path.rstrip("`")
        wanted = _wanted(inspect.type_info(kind), re.findall(r"[^.\[\]]+", key))
        of_a_field = "unknown field" in what or "missing required field" in what
        said = wanted if wanted and not of_a_field else f"{what[:1].lower()}{what[1:]}"
        raise CatlipError(f"{prefix}{key}: {said}.") from error


def _wanted(kind: inspect.Type, steps: Sequence[str]) -> str:
    """What should stand there, in words; nothing where the type does not say."""
    for step in steps:
        inner = [_inner(each, step) for each in (kind.types if isinstance(kind, inspect.UnionType) else (kind,))]
        found = [each for each in inner if each is not None]
        if not found:
            return ""
        kind = found[0]
    return f"this should be {_in_words(kind)}"


def _inner(kind: inspect.Type, step: str) -> inspect.Type | None:
    """The type of a field, or of what is in a list."""
    if isinstance(kind, inspect.StructType):
        return next((field.type for field in kind.fields if field.name == step), None)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return kind.item_type
    if isinstance(kind, inspect.TupleType):
        return kind.item_types[0]
    return kind.value_type if isinstance(kind, inspect.DictType) else None


def _in_words(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_in_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(map(as_toml, kind.values))
    if isinstance(kind, inspect.TupleType):
        return f"a list of {len(kind.item_types)}"
    for types, words in _WORDS:
        if isinstance(kind, types):
            bounds = [(sign, getattr(kind, name, None)) for name, sign in _BOUNDS.items()]
            return words + " and".join(f" {sign} {bound:g}" for sign, bound in bounds if bound is not None)
    return "something else"


_WORDS: tuple[tuple[Any, str], ...] = (
    (inspect.IntType, "a whole number"),
    (inspect.FloatType, "a number"),
    (inspect.BoolType, "true or false"),
    (inspect.StrType, "text"),
    (inspect.ListType | inspect.VarTupleType, "a list"),
    (inspect.StructType | inspect.DictType, "a table"),
)
