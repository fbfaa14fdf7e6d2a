"""Label many captions with kills at random moments, resume until it is done, and compare with an undisturbed build.

    python benchmarks/label_soak.py CAPTIONS.tsv... --captions 1000000 --out FOLDER [--engines local,ray]

The captions are those of the files, with variations, as often as it takes. SIGKILL hits the main process or a worker,
by lot, and one of the engines goes on, by lot. Prints how often, at which hundredths of the shards, and the memory of
the whole process tree over time; exits with 1 if a byte differs. A soak that was broken off goes on in its folder.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import cast

# A file is a shard; a kill costs those that were under way, so a shard must take less time than passes between kills.
CAPTIONS_PER_FILE = 2_000
SECONDS_BETWEEN_LOOKS = 1.0
COLUMNS_OF_CURVE = 60
SOME_FAILED = 3
# Of what Ray runs, these are the workers; with its other processes a node ends, and with its node the main process.
RAY_TASK = "ray::extract"
SECONDS_TO_END = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", type=Path, help="`caption<TAB>…` lines")
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds-between-kills", type=float, default=60.0, help="on average")
    parser.add_argument("--engines", default="local", help="of the killed build: local, ray, or local,ray")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_captions(chosen.corpora, chosen.captions, chosen.out / "captions")
    command = [sys.executable, "-m", "catlip_cli.main", "labels", "build", str(chosen.out / "captions" / "*.tsv")]
    command += ["--workers", str(chosen.workers), "--threshold", "50", "--out"]

    memory = Memory()
    start = time.monotonic()
    run([*command, str(chosen.out / "undisturbed")], memory)
    print(f"undisturbed: {time.monotonic() - start:,.0f} s for {chosen.captions:,} captions")
    memory.show("memory, undisturbed")

    chance, kills = random.Random(chosen.seed), Kills(-(-chosen.captions // CAPTIONS_PER_FILE))
    memory = Memory()
    start = time.monotonic()
    begun = dict.fromkeys(chosen.engines.split(","), 0)
    done = False
    while not done:
        engine = chance.choice(list(begun))
        begun[engine] += 1
        with_engine = [*command[:-1], "--engine", engine, "--out", str(chosen.out / "killed")]
        done = run(with_engine, memory, chance, chosen.seconds_between_kills, kills)
    print(f"killed: {time.monotonic() - start:,.0f} s, {kills.of}, begun with {begun}")
    print(f"when so many of a hundred shards were done: {' '.join(map(str, kills.at))}")
    memory.show("memory, killed")

    differing = compare(chosen.out / "undisturbed", chosen.out / "killed")
    print(f"differing files: {', '.join(differing) or 'none'}")
    sys.exit(bool(differing))


def write_captions(corpora: list[Path], count: int, folder: Path) -> None:
    """TSVs of CAPTIONS_PER_FILE captions: the corpora's, and from their second round on a variation of each.

    Those that are there stay as they are: a file with another date is another input.
    """
    folder.mkdir(exist_ok=True)
    texts = [line.partition("\t")[0] for path in corpora for line in path.read_text(errors="replace").splitlines()]
    captions = islice(varied(texts), count)
    for number in range(-(-count // CAPTIONS_PER_FILE)):
        lines = "".join(f"{caption}\t\n" for caption in islice(captions, CAPTIONS_PER_FILE))
        file = folder / f"{number:05d}.tsv"
        if not file.exists():
            file.write_text(lines)


def varied(texts: list[str]) -> Iterator[str]:
    """The texts, and then again and again with two words of another one at their end."""
    for number, text in enumerate(cycle(texts)):
        rounds, place = divmod(number, len(texts))
        other = texts[(place * 7919 + rounds * 104_729) % len(texts)].split()
        yield text if not rounds else f"{text} and {' '.join(other[:2])}"


class Kills:
    """How often which processes were killed, and how many of a hundred shards were done then."""

    def __init__(self, num_shards: int) -> None:
        self.of = {"main process": 0, "worker": 0}
        self.at: list[int] = []
        self._num_shards = num_shards

    def note(self, out: Path, victim: str) -> None:
        """One more."""
        self.of[victim] += 1
        self.at.append(100 * len(list((out / "_candidates").glob("*.parquet"))) // self._num_shards)


class Memory:
    """Bytes that a process tree holds, over time; pages that processes share count for each."""

    def __init__(self) -> None:
        self._bytes: list[int] = []

    def look(self, session: int) -> None:
        """Note what the processes of a session hold now."""
        lines = subprocess.run(["ps", "-eo", "sess=,rss="], capture_output=True, text=True, check=True).stdout
        fields = [line.split() for line in lines.splitlines()]
        self._bytes.append(1024 * sum(int(kib) for of, kib in fields if int(of) == session))

    def show(self, title: str) -> None:
        """A line of bars, each the greatest in its share of the time."""
        step = max(1, len(self._bytes) // COLUMNS_OF_CURVE)
        parts = [max(self._bytes[at : at + step]) for at in range(0, len(self._bytes), step)]
        peak = max(parts)
        half, rest = parts[len(parts) // 4 : len(parts) // 2], parts[len(parts) // 2 :]
        print(f"{title}: peak {peak / 2**20:,.0f} MiB; "
              f"second quarter {max(half or [0]) / 2**20:,.0f}, second half {max(rest) / 2**20:,.0f}")  # fmt: skip
        print("  " + "".join("▁▂▃▄▅▆▇█"[min(7, 8 * part // (peak + 1))] for part in parts))


def run(
    command: list[str],
    memory: Memory,
    chance: random.Random | None = None,
    seconds_between_kills: float = 0.0,
    kills: Kills | None = None,
) -> bool:
    """One build in a session of its own; True if it ended well. With `chance`, processes are killed by lot."""
    log = Path(command[-1]).with_suffix(".log")  # where the killed ones' helpers complain
    with (
        log.open("ab") as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True) as process,
    ):
        ended = threading.Event()
        if chance is not None and kills is not None:
            arguments = (process, ended, chance, seconds_between_kills, kills, Path(command[-1]))
            threading.Thread(target=kill_by_lot, args=arguments, daemon=True).start()
        while process.poll() is None:
            memory.look(process.pid)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        ended.set()
    end = time.monotonic() + SECONDS_TO_END
    while left := members_of(process.pid):  # workers of a killed leader end by themselves, a cluster of Ray does not
        if "ray" in command and time.monotonic() > end:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    # 3: the lot fell twice on workers with the same shard, which is then listed as failed; the next run takes it.
    if process.returncode not in (0, SOME_FAILED, -signal.SIGKILL):
        sys.exit(f"a build ended with {process.returncode}; {log} says why")
    return process.returncode == 0


def kill_by_lot(
    process: "subprocess.Popen[bytes]",
    ended: threading.Event,
    chance: random.Random,
    seconds_between_kills: float,
    kills: Kills,
    out: Path,
) -> None:
    """SIGKILL the main process or one of the others, at random moments, until the build has ended."""
    while not ended.wait(chance.expovariate(1 / seconds_between_kills)):
        workers = RAY_TASK if "ray" in cast(list[str], process.args) else ""
        victims = [pid for pid in members_of(process.pid, workers) if pid != process.pid]
        victim = "worker" if chance.random() < 0.5 and victims else "main process"
        try:
            os.kill(chance.choice(victims) if victim == "worker" else process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills.note(out, victim)


def members_of(session: int, name: str = "") -> list[int]:
    """Living processes of a session whose command begins with `name`."""
    lines = subprocess.run(["ps", "-eo", "pid=,sess=,stat=,args="], capture_output=True, text=True, check=True).stdout
    fields = [line.split(None, 3) for line in lines.splitlines()]
    return [
        int(pid)
        for pid, of, state, *command in fields
        if int(of) == session and not state.startswith("Z") and "".join(command).startswith(name)
    ]


def compare(one: Path, other: Path) -> list[str]:
    """Names of files that are not the same in both label sets."""
    names = {
        str(path.relative_to(root))
        for root in (one, other)
        for path in root.rglob("*")
        if path.is_file() and not str(path.relative_to(root)).startswith((".build", "_candidates/settings"))
    }
    return sorted(name for name in names if read(one / name) != read(other / name))


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    main()
