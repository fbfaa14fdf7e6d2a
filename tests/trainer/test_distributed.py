import pytest

from labelshards.errors import CatlipError
from trainer.distributed import joined


def test_joined__alone_without_torchrun() -> None:
    with joined() as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)


def test_joined__others_that_do_not_come_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29411"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(CatlipError, match=r"Process 0 of 2 could not join the others within 1 s .*127.0.0.1:29411\."),
        joined(timeout_seconds=1),
    ):
        pytest.fail("nobody else is there")


def test_joined__a_rank_without_the_others_address_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("MASTER_PORT", "29500")
    with (
        pytest.raises(CatlipError, match=r"RANK is 3, but there is no WORLD_SIZE and no MASTER_ADDR.*torchrun"),
        joined(),
    ):
        pytest.fail("no address")
