"""A few of the kills that `python -m tests.attack.kills` does by the hundred."""

import random
from pathlib import Path

import pytest

from tests.attack.kills import attack, undisturbed
from tests.attack.victims import Victim, victims

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def all_victims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Victim]:
    return {victim.name: victim for victim in victims(tmp_path_factory.mktemp("victims"))}


@pytest.mark.parametrize(
    ("name", "kills"),
    [("train, two loader processes", 1), ("probe, three tasks", 1), ("tag, to a file", 2), ("embed, to a folder", 1)],
)
def test_attack__leaves_what_an_undisturbed_one_leaves(
    name: str, kills: int, all_victims: dict[str, Victim], tmp_path: Path
) -> None:
    victim = all_victims[name]
    wanted = undisturbed(victim, tmp_path / "undisturbed")
    trial = attack(victim, wanted, tmp_path / "killed", kills, random.Random(name))
    assert not trial.wrong
    assert len(trial.kills) == kills
