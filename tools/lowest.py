"""The lowest version of each dependency that pyproject.toml allows, as constraints for pip.

    python -m tools.lowest labels report     of the base and of these extras

Needs nothing but Python, because it is asked before anything is installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
OWN = "catlip"
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[(?P<extras>[\w,-]+)\])?(?:[>=]=(?P<lowest>[\w.]+)(?:,[^;]*)?)?(?:;.*)?"
)


def lowest(extras: Sequence[str], pyproject: Path = PYPROJECT) -> dict[str, str]:
    """Name → version, of the project's dependencies and those of `extras`, which may name one another.

    Raises ValueError for a dependency without a lower bound, KeyError for an extra that there is not.
    """
    project = tomllib.loads(pyproject.read_text())["project"]
    found: dict[str, str] = {}
    for name, version in _requirements(project, extras):
        found[name] = max(found.get(name, version), version, key=_order)  # the higher of two lowest ones serves both
    return dict(sorted(found.items()))


def _requirements(project: dict[str, object], extras: Sequence[str]) -> Iterator[tuple[str, str]]:
    optional = project["optional-dependencies"]
    assert isinstance(optional, dict)
    assert isinstance(project["dependencies"], list)
    for text in [*project["dependencies"], *(each for extra in extras for each in optional[extra])]:
        found = _REQUIREMENT.fullmatch(text)
        if found and found["name"] == OWN and found["extras"]:
            yield from _requirements(project, found["extras"].split(","))
        elif found and found["lowest"]:
            yield found["name"], found["lowest"]
        else:
            raise ValueError(f"{text!r} says no lowest version")


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}=={version}\n" for name, version in lowest(sys.argv[1:]).items())
