"""Two processes of one run, started as torchrun starts them, without its launcher."""

import os
import socket
from collections.abc import Mapping, Sequence

from tests.forked import Forked


def start_pair(words: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Forked]:
    """Python twice with these arguments, as ranks 0 and 1 of 2."""
    given = os.environ if environment is None else environment
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        Forked(words, {**given, **shared, "OMP_NUM_THREADS": "1", "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]


def finish_pair(words: Sequence[str], timeout: float = 600) -> tuple[str, str]:
    """What both said on stdout, and on stderr; they must end well."""
    processes = start_pair(words)
    try:
        said = [process.communicate(timeout) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors for _, errors in said)
    return "".join(out for out, _ in said), "".join(errors for _, errors in said)
