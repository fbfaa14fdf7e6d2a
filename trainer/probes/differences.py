"""What tells results apart whose names are alike: other settings under one protocol, other weights under one name."""

from collections.abc import Callable, Hashable, Sequence

import msgspec

from trainer.probes.results import Result
from trainer.settings import flatten

_LINES = frozenset({"fractions"})  # what a result has a line for each of


def differences(found: Sequence[Result]) -> list[str]:
    """For each result of one task on one data set, in words, what others of its name have otherwise; "" where nothing.

    Settings are compared under one protocol, with any model; weights, seeds and test pictures of one model, too.
    """
    settings = _otherwise(found, lambda each: each.protocol, _settings)
    rest = _otherwise(found, lambda each: (each.protocol, each.model.name, each.model.step), _rest)
    told = [one | other for one, other in zip(settings, rest, strict=True)]
    return [", ".join(f"{key} {value}" for key, value in each.items()) for each in told]


def _otherwise(
    found: Sequence[Result], name: Callable[[Result], Hashable], facts: Callable[[Result], dict[str, str]]
) -> list[dict[str, str]]:
    """Of the facts of each result, those that others of its name have otherwise; what one lacks tells nothing."""
    told = [facts(each) for each in found]
    namesakes: dict[Hashable, list[dict[str, str]]] = {}
    for each, of_it in zip(found, told, strict=True):
        namesakes.setdefault(name(each), []).append(of_it)
    return [
        {
            key: value
            for key, value in of_it.items()
            if any(other.get(key, value) != value for other in namesakes[name(each)])
        }
        for each, of_it in zip(found, told, strict=True)
    ]


def _settings(result: Result) -> dict[str, str]:
    flat = flatten({key: value for key, value in result.settings.items() if key not in _LINES})
    return {key: msgspec.json.encode(value).decode().strip('"') for key, value in flat.items()}


def _rest(result: Result) -> dict[str, str]:
    facts = {"weights": result.model.weights, "seeds": str(len(result.seeds))}
    facts["test"] = result.data.test_path or "beside it"
    return facts | ({"digest": result.weights_digest[:8]} if result.weights_digest else {})
