"""Being asked to stop: the step in hand is finished, then the run is saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """A list that SIGTERM and SIGINT add to; the step in hand is finished first. A second SIGINT interrupts at once."""
    requests: list[int] = []

    def note(number: int, _frame: object) -> None:
        if number == signal.SIGINT and requests:
            raise KeyboardInterrupt
        requests.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
