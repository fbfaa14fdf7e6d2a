"""Fetching remote tars before the steps that need them."""

import copy
import dataclasses
import threading
from collections import Counter, deque

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile
from trainer.stream.reader import StepReader

# However small what is to be fetched, there is no use in planning further ahead.
_MAX_STEPS = 1_000


class Prefetch:
    """A thread that goes over coming steps and fetches what they read, as far ahead as half of the cache holds.

    What goes wrong is left to the reader, which will meet it, too, and says it better.
    """

    def __init__(self, reader: StepReader, steps: range) -> None:
        # A reader of its own: they are for one thread each, and so are the shards that samples hold.
        self._reader = dataclasses.replace(reader, samples=copy.copy(reader.samples))
        self._steps = steps
        self._reached = steps.start
        self._stopped = False
        self._change = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def reached(self, step: int) -> None:
        """Say that `step` has been read."""
        with self._change:
            self._reached = step
            self._change.notify()

    def stop(self) -> None:
        """Fetch nothing more."""
        with self._change:
            self._stopped = True
            self._change.notify()

    def _run(self) -> None:
        cache = self._reader.samples.cache
        assert cache is not None, "without one there is nothing to fetch"
        coming: deque[tuple[int, list[ImageFile]]] = deque()
        uses: Counter[ImageFile] = Counter()
        try:
            for step in self._steps:
                files = [file for file in self._reader.files(step) if not storage.is_local(file.uri)]
                coming.append((step, files))
                uses.update(files)
                with self._change:
                    while not self._stopped:
                        while coming and coming[0][0] < self._reached:
                            uses.subtract(coming.popleft()[1])
                        uses = +uses  # without those that are down to 0
                        needed = sum(file.bytes for file in uses)
                        # The next step's files are fetched however large they are: it cannot do without.
                        if len(coming) <= 1 or (needed <= cache.max_bytes / 2 and len(coming) <= _MAX_STEPS):
                            break
                        self._change.wait()
                    if self._stopped:
                        return
                for file in files:
                    cache.local(file.uri, file.bytes)
        except (OSError, CatlipError):
            return
