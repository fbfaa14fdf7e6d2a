"""The gallery as a person sees it: opened from a file in headless Chromium."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.labelset_factory import COLOURS, picture
from trainer.tagging.album import Album
from trainer.tagging.gallery import render
from trainer.tagging.picking import Picked, Tag, Tagged
from trainer.tagging.words import Words

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> {{data}}"
SYNSETS = {
    "dog.n.01": "dog",
    "hot_dog.n.01": "hot dog",
    "cat.n.01": HOSTILE,
    "animal.n.01": "animal",
    "entity.n.01": "entity",
}


def write(folder: Path, count: int = 6) -> Path:
    """A gallery of `count` pictures; the first of them is a dog alone, the others are more and more a cat."""
    pictures = []
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(picture(COLOURS[number % 6], size=(60, 40 + number % 5)))
        tags = [Tag("dog.n.01", 0.9)] if number == 0 else [Tag("cat.n.01", 0.1 + 0.8 * number / count)]
        tags += [Tag("hot_dog.n.01", 0.05)] * (number == 1)
        above = (Tag("animal.n.01", tags[0].probability),)
        size = (folder / f"{number}.jpg").stat().st_size
        pictures.append(Tagged(str(folder), f"{number}.jpg", 0, size, tuple(tags), above))
    counts = Counter({"cat.n.01": 70, "dog.n.01": 20, "hot_dog.n.01": 1, "animal.n.01": 80, "entity.n.01": 81})
    picked = Picked([*pictures, pictures[0]._replace(key="gone.jpg")], 100, counts)
    words = Words(words=SYNSETS, glosses={"dog.n.01": "a member of the genus Canis"})
    page = render(picked, Album({}, {}), words, model=HOSTILE, credit="Mine", report=lambda _done, _total: None)
    (folder / "gallery.html").write_bytes(page)
    return folder / "gallery.html"


def test_render__hostile_texts_end_no_script_and_nothing_is_loaded(tmp_path: Path) -> None:
    page = write(tmp_path).read_text()
    scripts = re.findall(r"<script([^>]*)>", page)
    assert len(scripts) == page.count("</script>") == 2 + 2
    shown = re.sub(r'<script type="text/plain".*?</script>', "", page)
    assert not re.findall(r"https?://|@import|url\(", shown)
    assert write(tmp_path).read_text() == page, "the same pictures give the same bytes"


def test_render__a_page_has_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write(tmp_path, 40).stat().st_size
    monkeypatch.setattr("trainer.tagging.gallery._MOST_BYTES", 5_000)
    assert write(tmp_path, 40).stat().st_size < whole - 5_000


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, list[str]]:
    file = write(tmp_path_factory.mktemp("gallery"))
    trouble: list[str] = []

    def on_request(request: Request) -> None:
        if not request.url.startswith(("data:", file.as_uri())):
            trouble.append(request.url)

    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(30_000)
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", on_request)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    return page, trouble


@pytest.fixture
def page(opened: tuple[Page, list[str]]) -> Iterator[Page]:
    """The gallery as it is when it was opened; whatever a test does to it, it does without a fault."""
    page, trouble = opened
    page.keyboard.press("Escape")
    page.locator("#least").fill("0")
    yield page
    assert trouble == []
    assert page.evaluate("window.hacked") is None


def shown(page: Page) -> list[str]:
    labels = page.locator(".card .open").evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))")
    return [str(label).removeprefix("Open ") for label in labels]


def test_page__shows_all_and_searches_by_word_and_by_synset(page: Page) -> None:
    assert shown(page) == [f"{number}.jpg" for number in range(6)]
    page.fill("#search", "dog")
    assert shown(page) == ["0.jpg", "1.jpg"], "dog, and hot dog"
    assert page.inner_text("#matching") == "2 of 6 pictures"
    page.fill("#search", "dog.n.01")
    assert shown(page) == ["0.jpg"]
    page.fill("#search", "okapi")
    assert page.locator(".empty").is_visible()


def test_page__what_stands_above_is_found_surest_first(page: Page) -> None:
    assert page.locator(".chip", has_text="entity").count() == 0, "what nearly all have finds nothing"
    page.locator(".chip", has_text="animal").click()
    assert shown(page)[:2] == ["0.jpg", "5.jpg"]
    assert page.locator(".chip", has_text="animal").get_attribute("aria-pressed") == "true"
    assert page.locator(".chip", has_text="entity").count() == 0, "what nearly all have finds nothing"
    page.locator(".chip", has_text="animal").click()
    assert shown(page)[0] == "0.jpg"
    assert page.inner_text("#matching") == ""


def test_page__a_least_probability(page: Page) -> None:
    page.locator("#least").fill("60")
    assert shown(page) == ["0.jpg", "4.jpg", "5.jpg"]
    assert page.inner_text("#least-said") == "60 %"


def test_page__one_picture_and_its_tags(page: Page) -> None:
    page.locator(".card .open").first.click()
    dialog = page.locator("#one")
    assert dialog.locator("h2").inner_text() == "0.jpg"
    assert "a member of the genus Canis" in dialog.inner_text()
    dialog.locator(".link", has_text="animal").click()
    assert not dialog.is_visible()
    assert page.input_value("#search") == "animal.n.01"


def test_page__keys_and_light_and_dark(page: Page) -> None:
    page.locator("body").press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#theme").click()
