"""A process that attacks one reader, guided by what its inputs reach; `fuzz` starts it, and starts it again.

What C code does to a process (crashes, memory, time) is seen from outside: the input lies in the sandbox.
"""

import faulthandler
import importlib
import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from types import FunctionType

import atheris

from tests.attack.attempt import SECONDS, Finding, Sandbox, changed, keep, limit_memory
from tests.attack.reader import Reader

# Whose branches are counted: ours, and what of Python's own library stands between a file and them.
_WATCHED = ("labelshards", "labelgen", "trainer", "PIL", "tomllib")
_LOADED_ALREADY = ("tarfile", "csv", "json.decoder", "pickletools", "html", "gzip")
_NOTED_EVERY_SECONDS = 1.0
_BYTEWISE = 0.3  # the share of inputs that libFuzzer changes in its own ways


class Attack:
    """What libFuzzer calls, and what it leaves: notes.json, and a folder for each finding."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self._reader = reader
        self._folder = folder
        self._sandbox = Sandbox(folder / "box" / "box", reader)
        self._notes = folder / "notes.json"
        self._ended: Counter[str] = Counter()
        self._noted = 0.0

    def one(self, data: bytes) -> None:
        """Try one input."""
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        result = self._sandbox.attempt(data)
        faulthandler.cancel_dump_traceback_later()
        if isinstance(result, Finding):
            keep(self._folder / "findings", self._reader.name, result, data)
            self._ended[f"! {result.kind} in {result.place}"] += 1
        else:
            self._ended[result] += 1
        if time.monotonic() - self._noted > _NOTED_EVERY_SECONDS:
            self._noted = time.monotonic()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self._notes.write_text(json.dumps({"ended": self._ended, "peak_kib": peak}))

    def change(self, data: bytes, max_size: int, seed: int) -> bytes:
        """The next input."""
        rng = random.Random(seed)
        if rng.random() < _BYTEWISE:
            return self._reader.seal(atheris.Mutate(data, min(max_size, self._reader.max_bytes)))[:max_size]
        return changed(rng, self._reader, data, self._reader.seeds)[:max_size]


def main(room: str, name: str, seconds: str, seed: str, folder: str) -> None:
    """Attack a reader for so many seconds."""
    faulthandler.enable()
    with atheris.instrument_imports(include=list(_WATCHED)):
        readers = importlib.import_module(f"tests.attack.{room}").READERS
    for module in _LOADED_ALREADY:
        _watch(module)
    [reader] = [each for each in readers if each.name == name]
    attack = Attack(reader, Path(folder))
    for seed_data in reader.seeds:
        attack.one(seed_data)  # so that what is loaded once is loaded before memory is bounded
    limit_memory()
    corpus = Path(folder) / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(reader.seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {"max_total_time": seconds, "seed": seed, "max_len": reader.max_bytes, "timeout": 1000, "rss_limit_mb": 0,
               "len_control": 0, "handle_segv": 0, "handle_bus": 0, "handle_abrt": 0, "handle_fpe": 0, "handle_ill": 0,
               "print_final_stats": 1}  # fmt: skip
    words = [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
    atheris.Setup(words, attack.one, custom_mutator=attack.change)
    os.chdir(folder)
    atheris.Fuzz()


def _watch(name: str) -> None:
    """Count the branches of a module that was there before anything was watched."""
    module = importlib.import_module(name)
    holders = [module, *(each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name)]
    functions = {getattr(value, "__func__", value) for holder in holders for value in _hashable(vars(holder).values())}
    for function in functions:
        if isinstance(function, FunctionType) and function.__module__ == name:
            atheris.instrument_func(function)


def _hashable(values: Iterable[object]) -> list[Hashable]:
    return [value for value in values if isinstance(value, Hashable)]


if __name__ == "__main__":
    main(*sys.argv[1:])
