"""What is attacked: something that reads a file which other people made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.shapes import Shape

_MAX_BYTES = 1 << 17


def _as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader, by name.

    file: what the input is called; it lies in the folder `given` of a sandbox. beside: other files there, by path.
    seeds: good inputs. call(file, out): reads it as the project does; may write into the folder `out` and nowhere else.
    shapes: edits that know the format. seal: makes checksums right again, which a forger would.
    """

    name: str
    file: str
    seeds: Sequence[bytes]
    call: Callable[[Path, Path], object]
    beside: Mapping[str, bytes] = field(default_factory=dict)
    shapes: Sequence[Shape] = ()
    seal: Callable[[bytes], bytes] = _as_it_is

    @property
    def max_bytes(self) -> int:
        """No input becomes longer; longer ones are cases of their own (test_hostile_*.py)."""
        return max(_MAX_BYTES, 2 * max(map(len, self.seeds)))
