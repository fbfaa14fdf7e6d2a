import json
import os
import pty
import subprocess
import sys

import pytest

from catlip_cli import terminal


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (75.4, "1 min 15 s"),
        (3599, "59 min 59 s"),
        (7380, "2 h 3 min"),
    ],
)
def test_duration__cases(seconds: float, text: str) -> None:
    assert terminal.duration(seconds) == text


def test_print_table__cells_are_text_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table([("name", "left"), ("n", "right")], [("[red]x[/red] :dog: \\[", "1"), ("y", "20")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("[red]x[/red] :dog: \\[")
    assert lines[1].rstrip().endswith(" 1")
    assert lines[2].rstrip().endswith("20")


def test_print_table__without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table([("name", "left")], [])
    assert capsys.readouterr().out.split() == ["name"]


def test_print_table__long_cells_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table([("gloss", "left"), ("n", "right")], [("word " * 100, "123456")])
    line = capsys.readouterr().out.splitlines()[1]
    assert "…" in line
    assert line.endswith("123456")


def test_print_table__where_there_is_little_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [("rank", "right"), ("support", "right"), ("flags", "left"), ("gloss", "left"), ("", "left")]
    rows = [("1", "1,234", "odd sense, ambiguous", "word " * 20, "x")]
    shown = {}
    for width in (200, 60, 45, 12, 3):
        monkeypatch.setattr(terminal.stdout, "width", width)
        terminal.print_table(columns, rows)
        shown[width] = capsys.readouterr().out.splitlines()
        assert all(len(line.rstrip()) <= max(width, 26) for line in shown[width])
    assert shown[200][0].split() == ["rank", "support", "flags", "gloss"]
    assert shown[60][0].split() == ["rank", "support", "flags"] or shown[60][1].endswith("…  x")
    assert shown[45][2] == "No room for: gloss."
    assert shown[12][:2] == ["rank", "   1"]
    assert shown[3][0] == "ra…"


def test_print_json__what_others_can_parse(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_json({"a": [1, None, "é\n"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None, "é\n"]}


def test_progress__a_line_every_30_seconds_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.progress("Labelling shards", 100, started_at=40) as ticker:
        for done in range(40, 100):
            now += 1
            ticker.update(done, "9 captions/s")
    said = capsys.readouterr()
    assert said.out == ""
    # 29 shards in 30 s and 31 left; those of an earlier run do not count.
    assert said.err.splitlines() == [
        "Labelling shards: 69 of 100, 9 captions/s, ETA 32.1 s",
        "Labelling shards: 99 of 100, 9 captions/s, ETA 1.0 s",
    ]


def test_progress__nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("Labelling shards", 0) as ticker:
        ticker.update(0)
    assert capsys.readouterr().err == ""


def test_progress__a_bar_on_a_terminal_that_goes_away() -> None:
    code = (
        "from catlip_cli import terminal\n"
        "with terminal.progress('Labelling shards', 10, started_at=3) as ticker:\n"
        "    ticker.update(4, '9 captions/s')\n"
        "print('done')"
    )
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=follower,
        check=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert done.stdout == b"done\n"
    assert "4/10" in shown
    assert "9 captions/s" in shown


def test_print_next__can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_next("catlip", "labels", "build", "my tars/*.tar", "--out", "DIR", when="later")
    line = capsys.readouterr().out.rstrip("\n")
    assert line == "Next: catlip labels build 'my tars/*.tar' --out DIR   (later)"
