"""Which tasks heed `--set`: the command line refuses it for the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from catlip_cli.probe import SETTABLE
from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask
from trainer.probes.tasks import TASKS


def test_settable__are_the_tasks_that_refuse_a_setting_that_none_has(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    asked = ask(trained, make_colours(tmp_path / "data"), tmp_path)
    refused = {}
    for task, probes in TASKS.items():
        try:
            probes(replace(asked, overrides=[f"{task}.nothing=1"]))
        except CatlipError as error:
            refused[task] = str(error)
    assert [task for task, said in refused.items() if f"{task}.nothing" in said] == list(SETTABLE)
