"""One input, one reader: it must read it, or refuse it in a line for people. Everything else is a finding."""

import os
import random
import resource
import shutil
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labelshards.errors import CatlipError
from tests.attack.mutation import mutated
from tests.attack.reader import Reader

# What one input may take, beyond what the process has when it begins.
SECONDS = 10
MEMORY_BYTES = 2 << 30
READ = "read"
_SHAPED = 0.7  # the share of inputs that are edited as what they are, and not byte by byte
_MOST_LINES, _MOST_CHARACTERS = 3, 6_000
_OWN = ("labelshards", "labelgen", "trainer", "catlip_cli")


@dataclass(frozen=True)
class Finding:
    """Where something went wrong (alike for all inputs that meet the same fault), and what Python said."""

    kind: str
    place: str
    told: str


@dataclass
class Sandbox:
    """A folder with the places `given` and `out`; nothing else in it may change while something is read."""

    root: Path
    reader: Reader
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.file = self.root / "given" / self.reader.file
        for name, data in self.reader.beside.items():
            path = self.root / "given" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def attempt(self, data: bytes) -> str | Finding:
        """READ, or the name of the error that refused it, or what is wrong with how it ended."""
        self.file.write_bytes(data)
        out = self.root / "out"
        out.mkdir(exist_ok=True)
        before = _listing(self.root)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.reader.call(self.file, out)
            ended: str | Finding = READ
        except CatlipError as error:
            ended = _judged(error)
        except OSError as error:
            # The command line prints those of the system, which say of which file they speak.
            ended = type(error).__name__ if error.filename is not None else _finding(error)
        except Exception as error:
            ended = _finding(error)
        if _listing(self.root) != before:
            ended = Finding("files changed", self.reader.name, "\n".join(sorted(_listing(self.root) ^ before)))
        if any(out.iterdir()):
            shutil.rmtree(out)
        return ended


def _listing(root: Path) -> set[str]:
    """All that lies beside `root` and in it, `out` aside, with sizes and times."""
    found = {path.name for path in root.parent.iterdir()}
    for folder, folders, files in os.walk(root):
        if folder == str(root):
            folders.remove("out")
        for name in (*folders, *files):
            status = (Path(folder) / name).lstat()
            found.add(f"{folder}/{name} {status.st_size} {status.st_mtime_ns if name in files else ''}")
    return found


def _judged(error: CatlipError) -> str | Finding:
    text = str(error)
    if not text or text.count("\n") >= _MOST_LINES or len(text) > _MOST_CHARACTERS:
        return _finding(error, "an error that is no line for people")
    return type(error).__name__


def _finding(error: Exception, kind: str | None = None) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(f"/{name}/" in frame.filename for name in _OWN)]
    place = " ".join(f"{Path(frame.filename).stem}.{frame.name}" for frame in own[-2:])
    return Finding(kind or type(error).__name__, place, "".join(traceback.format_exception(error)))


def changed(rng: random.Random, reader: Reader, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` edited once or more often, by shape or byte by byte, and sealed again."""
    shaped = rng.choice(reader.shapes)(rng, data) if reader.shapes and rng.random() < _SHAPED else None
    edited = mutated(rng, data, others) if shaped is None else shaped
    return reader.seal(edited)[: reader.max_bytes]


def blind(reader: Reader, root: Path, seed: int, count: int) -> tuple[Counter[str], list[tuple[Finding, bytes]]]:
    """(how inputs ended, findings) of the seeds and of `count` inputs made of them, whatever those reach."""
    rng = random.Random(seed)
    sandbox = Sandbox(root, reader)
    ended: Counter[str] = Counter()
    found: list[tuple[Finding, bytes]] = []
    for data in _inputs(rng, reader, count):
        result = sandbox.attempt(data)
        if isinstance(result, Finding):
            found.append((result, data))
        else:
            ended[result] += 1
    return ended, found


def _inputs(rng: random.Random, reader: Reader, count: int) -> Iterator[bytes]:
    yield from reader.seeds
    kept = [*reader.seeds]
    for number in range(count):
        data = changed(rng, reader, rng.choice(kept), reader.seeds)
        if number % 8 == 0:
            kept.append(data)  # so that some inputs are far from what is good
        yield data


def limit_memory() -> None:
    """Let this process have MEMORY_BYTES more than it has now; what wants more meets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def keep(folder: Path, name: str, finding: Finding, data: bytes) -> None:
    """The first input of each kind of finding, and what was said."""
    place = "".join(c if c.isalnum() or c in "._" else "-" for c in f"{name} {finding.kind} {finding.place}")[:120]
    if not (folder / place).exists():
        (folder / place).mkdir(parents=True)
        (folder / place / "input").write_bytes(data)
        (folder / place / "said.txt").write_text(finding.told, errors="backslashreplace")
