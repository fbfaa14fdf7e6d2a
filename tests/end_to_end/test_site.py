"""The site of docs/: built strictly, and seen by a browser that may fetch nothing from elsewhere."""

import functools
import html
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from catlip_cli import main

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_site__has_every_page_and_command(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = re.findall(r"\w[\w-]*\.md", (ROOT / "mkdocs.yml").read_text())
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= set(listed), "every page is in the navigation"
    page = (site / "cli.html").read_text()
    shown = dict(re.findall(r"<h2[^>]*>(catlip[^<]*)<.*?<code>(.*?)</code>", page, flags=re.DOTALL))
    assert {f"catlip {name}" for name in (*main.COMMANDS, "labels build", "vocab prune", "probe compare")} <= set(shown)
    for name, text in shown.items():
        assert main.run([*name.split()[1:], "--help"]) == 0
        on_page = html.unescape(re.sub(r"<[^>]*>", "", text))
        assert words(on_page) == words(capsys.readouterr().out), name
    python = re.sub(r"<[^>]*>", "", (site / "api.html").read_text())
    for signature in ("load_encoder(\n", "captions: ", "LabelSetDataset(\n"):
        assert signature in html.unescape(python)


def words(help_text: str) -> str:
    """What does not change with the width of a terminal: not where lines end, nor how much of sub-commands is told."""
    return "".join(help_text.partition("\nCommands:")[0].split())


def test_site__loads_nothing_from_elsewhere_and_can_be_searched(address: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(30_000)
    trouble: list[str] = []
    page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith(address) else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("response", lambda response: trouble.append(response.url) if response.status >= 400 else None)
    for name in ("index", "cli", "api", "tagging", "at-scale"):
        page.goto(f"{address}/{name}.html")
        assert page.locator("h1").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} hangs out at the side"
    page.locator(".md-search__input").click()
    page.get_by_text("Type to start searching").wait_for()  # what is typed before the index is read finds nothing
    page.locator(".md-search__input").press_sequentially("calibrate")
    page.locator(".md-search-result__link").first.wait_for()
    page.close()
    assert [each for each in trouble if not each.startswith(("data:", "blob:"))] == []
