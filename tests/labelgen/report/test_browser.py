"""The report as a person sees it: opened from a file in headless Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from labelgen.classes.edit import read_edit
from labelgen.report.collect import collect
from labelgen.report.page import render
from labelshards.labelset import LabelSet
from tests import labelset_factory

READY = "html[data-ready]"
NAMES = "#grid-body .grid-row b"


class Watched:
    """A page, and everything it should not have done."""

    def __init__(self, browser: Browser, file: Path, part: str = "", **options: object) -> None:
        self.file = file
        self.trouble: list[str] = []
        self.page: Page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", lambda dialog: self.trouble.append(dialog.message))
        self.page.on("request", self._on_request)
        self.page.goto(file.as_uri() + part)
        self.page.wait_for_selector(READY)

    def names(self) -> list[str]:
        return self.page.locator(NAMES).all_inner_texts()

    def _on_console(self, message: ConsoleMessage) -> None:
        self.trouble.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:", "about:", self.file.as_uri())):
            self.trouble.append(request.url)


def write(folder: Path, *roots: Path) -> Path:
    report = collect([LabelSet.open(str(root)) for root in roots], thumbnails_per_class=2, moved={})
    file = folder / "report.html"
    file.write_bytes(render(report))
    return file


@pytest.fixture(scope="module")
def one(browser: Browser, animals: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return Watched(browser, write(tmp_path_factory.mktemp("one"), animals))


@pytest.fixture(scope="module")
def both(browser: Browser, animals: Path, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return Watched(
        browser, write(tmp_path_factory.mktemp("both"), animals, others), "#class=bird.n.01", color_scheme="dark"
    )


@pytest.fixture
def page(one: Watched) -> Iterator[Page]:
    """The report of the animals, as it is when it was opened; whatever a test does to it, it does without a fault."""
    one.page.locator("#grid").focus()
    one.page.keyboard.press("Escape")
    yield one.page
    assert one.trouble == []
    assert one.page.evaluate("window.hacked") is None


def test_page__flagged_classes_come_first(one: Watched, page: Page) -> None:
    assert one.names()[0] == "stock.n.01"
    assert set(one.names()) == {
        "person.n.01", "dog.n.01", "cat.n.01", "puppy.n.01", "stock.n.01", "run.v.01", "car.n.01", "red.s.01",
        "red.s.01+car.n.01", "london.n.01", "chair.n.01", "sofa.n.01", "bed.n.01",
    }  # fmt: skip
    assert page.locator("#grid-body .flag.grave").all_inner_texts() == ["meta", "unseeable"]


def test_page__search(one: Watched, page: Page) -> None:
    page.fill("#search", "DOG")
    assert one.names() == ["dog.n.01", "puppy.n.01"], "the one with that name before the one whose gloss has it"
    assert page.inner_text("#matching").startswith("2 of 13 classes")
    page.fill("#search", "no such thing")
    assert one.names() == []
    assert "No class is like that" in page.inner_text("#grid-body")


def test_page__search_is_no_pattern_and_no_markup(one: Watched, page: Page) -> None:
    page.fill("#search", "<b>.*[")
    assert one.names() == []
    assert page.locator("#grid-body i, #grid-body script").count() == 0


def test_page__sort(one: Watched, page: Page) -> None:
    page.click("[data-by=support-0]")
    assert one.names()[:3] == ["person.n.01", "dog.n.01", "cat.n.01"]
    page.click("[data-by=support-0]")
    assert one.names()[:2] == ["bed.n.01", "sofa.n.01"]
    assert page.locator("[aria-sort=ascending]").inner_text().strip() == "support"
    page.click("[data-by=synset]")
    assert one.names()[0] == "bed.n.01"
    page.click("[data-by=flags]")
    assert one.names()[0] == "stock.n.01"


def test_page__open_a_class(page: Page) -> None:
    page.click("text=puppy.n.01")
    detail = page.locator("#detail")
    detail.locator("h3", has_text="puppy.n.01").wait_for()
    assert "a young dog" in detail.inner_text()
    assert detail.locator(".captions li").first.inner_text().startswith("</script><script>window.hacked")
    assert detail.locator(".captions mark").count() == 0, "the term puppy is not in this caption"
    assert detail.locator(".strip img").count() == 2
    assert detail.locator(".strip img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 112
    assert page.evaluate("location.hash") == "#class=puppy.n.01"
    path = detail.locator(".path .link").all_inner_texts()
    assert path[0] == "entity.n.01"
    assert path[-1] == "puppy.n.01"
    assert "12, 27 %" in detail.inner_text()


def test_page__from_class_to_class(page: Page) -> None:
    page.click("text=puppy.n.01")
    page.locator("#detail .near .link", has_text="dog").click()
    page.locator("#detail h3", has_text="dog.n.01").wait_for()
    page.locator("#detail [aria-label='Next class']").click()
    page.locator("#detail h3", has_not_text="dog.n.01").wait_for()


def test_page__branch_of_a_class(one: Watched, page: Page) -> None:
    page.click("text=cat.n.01")
    page.locator("#detail .path .link", has_text="carnivore.n.01").click()
    assert sorted(one.names()) == ["cat.n.01", "dog.n.01", "puppy.n.01"]
    page.click("#filter-under button")
    assert len(one.names()) == 13


def test_page__filters(one: Watched, page: Page) -> None:
    page.click("[data-flag=people]")
    assert one.names() == ["person.n.01"]
    page.click("[data-flag=people]")
    page.select_option("#filter-family", label="actions (1)")
    assert one.names() == ["run.v.01"]
    page.select_option("#filter-family", "")
    page.select_option("#filter-lexname", label="noun.animal (3)")
    assert sorted(one.names()) == ["cat.n.01", "dog.n.01", "puppy.n.01"]
    page.locator("#grid").focus()
    page.keyboard.press("Escape")
    assert len(one.names()) == 13


def test_page__keyboard(page: Page) -> None:
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    page.locator("#detail h3", has_text="dog.n.01").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator("#detail h3", has_text="puppy.n.01").wait_for()
    assert page.locator("#grid").get_attribute("aria-activedescendant") == page.locator(
        "[aria-selected=true]"
    ).get_attribute("id")


def test_page__leave_classes_out(page: Page, tmp_path: Path) -> None:
    """What is saved is what `catlip vocab prune --deny` reads."""
    assert not page.locator("#decisions").is_visible()
    page.click("text=stock.n.01")
    page.keyboard.press("d")
    page.click("text=london.n.01")
    page.locator("#detail h3", has_text="london.n.01").wait_for()
    page.locator("#detail button", has_text="Leave out").click()
    assert page.locator("#decisions b").inner_text() == "2 classes"
    with page.expect_download() as download:
        page.click("#decisions a")
    download.value.save_as(tmp_path / "deny.txt")
    assert read_edit(str(tmp_path / "deny.txt"), None, None, [], None).deny == ["stock.n.01", "london.n.01"]
    page.locator("#detail button", has_text="Keep").click()
    assert page.locator(".denied b").all_inner_texts() == ["stock.n.01"]
    page.locator("#decisions button", has_text="Forget").click()
    assert not page.locator("#decisions").is_visible()


def test_page__address_opens_a_class(page: Page) -> None:
    page.evaluate("location.hash = '#class=cat.n.01'")
    page.locator("#detail h3", has_text="cat.n.01").wait_for()
    for address in ("#class=n02084071", "#class=%3Cimg%20src=x%20onerror=alert(1)%3E", "#class=%ff", "#class", "#"):
        page.evaluate("address => { location.hash = address }", address)
        page.locator("#detail h3", has_text="dog.n.01").wait_for()


def test_page__light_and_dark(page: Page) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(colour) != light
    page.click("#theme")
    assert page.evaluate(colour) == light


def test_page__figures(page: Page) -> None:
    for figure in ("tail", "thresholds", "labels", "tree", "company"):
        assert page.locator(f"#figure-{figure} svg.main-svg").count() > 0, figure
    tail = page.evaluate("document.getElementById('figure-tail').data[0]")
    assert tail["y"][0] == 40
    assert page.evaluate("document.getElementById('figure-tail').layout.xaxis.type") == "log"
    above = page.evaluate("document.getElementById('figure-thresholds').data[0]")
    assert dict(zip(above["x"], above["y"], strict=True))[20] == 3
    assert page.evaluate("document.getElementById('figure-labels').data[0].customdata")[0] == 5


def test_page__treemap_goes_deeper_and_back(one: Watched, page: Page) -> None:
    sizes = "document.getElementById('figure-tree').data[0].values[0]"
    assert page.evaluate(sizes) == 149
    page.locator("#figure-tree .slice", has_text="instrumentality").first.click(position={"x": 8, "y": 8})
    page.locator("#tree-path b", has_text="instrumentality").wait_for()
    assert page.evaluate(sizes) == 18
    assert "red car" in page.evaluate("document.getElementById('figure-tree').data[0].labels")
    page.locator("#tree-path .link", has_text="show in the table").click()
    assert sorted(one.names()) == ["bed.n.01", "car.n.01", "chair.n.01", "red.s.01+car.n.01", "sofa.n.01"]
    page.locator("#tree-path .link", has_text="all labels").click()
    assert page.evaluate(sizes) == 149


def test_page__cell_of_the_matrix_opens_a_class(page: Page) -> None:
    figure = page.locator("#figure-company .nsewdrag")
    figure.scroll_into_view_if_needed()
    row = page.evaluate("document.getElementById('figure-company').layout.yaxis.ticktext[1]")
    box = figure.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 3.5 / 13, box["y"] + box["height"] * 1.5 / 13)
    assert page.locator("#detail .words").inner_text().startswith(row)


def test_page__two_label_sets(both: Watched) -> None:
    page = both.page
    assert page.locator("#detail h3").inner_text() == "bird.n.01", "as the address has it"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "as the system has it"
    names = page.evaluate("document.getElementById('figure-tail').data.map(trace => trace.name)")
    assert names == ["&lt;i&gt;&amp;amp; animals/labels", "others/labels"]
    assert page.locator(".set-name").all_inner_texts() == ["<i>&amp; animals/labels", "others/labels"]
    page.select_option("#filter-set", label="Only in others/labels")
    assert sorted(both.names()) == ["bird.n.01", "time.n.01"]
    page.select_option("#filter-set", label="In others/labels")
    assert sorted(both.names()) == ["bird.n.01", "dog.n.01", "time.n.01"]
    page.locator("#tree-sets button", has_text="others").click()
    assert page.evaluate("document.getElementById('figure-tree').data[0].values[0]") == 80
    assert both.trouble == []


def test_page__of_a_phone(both: Watched) -> None:
    page = both.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("location.hash = '#class=dog.n.01'")
    page.locator("#detail.open h3", has_text="dog.n.01").wait_for()
    width = 0
    for _ in range(50):  # figures follow the window after a moment
        width = page.evaluate("document.documentElement.scrollWidth")
        if width == 390:
            break
        page.wait_for_timeout(100)
    assert width == 390, "nothing hangs out at the side"
    page.click("#detail .close")
    assert not page.locator("#detail").is_visible()
    assert both.trouble == []


def test_page__thousands_of_classes_have_few_rows(browser: Browser, tmp_path: Path) -> None:
    root = labelset_factory.write_label_set(
        tmp_path, [[]], words=labelset_factory.vocabulary(1500, list(range(1500, 0, -1)))
    )
    seen = Watched(browser, write(tmp_path, root))
    page = seen.page
    page.locator("#grid").focus()
    page.keyboard.press("End")
    page.locator("#detail h3", has_text="colour1499.n.01").wait_for()
    assert page.locator(f"{NAMES} >> text=colour1499.n.01").is_visible()
    assert page.locator("#grid-body .grid-row").count() < 60
    assert page.inner_text("#matching").startswith("1,500 of 1,500 classes")
    assert seen.trouble == []


def test_page__no_class_at_all(browser: Browser, tmp_path: Path) -> None:
    root = labelset_factory.write_label_set(tmp_path, [[]], words=labelset_factory.vocabulary(0, []))
    seen = Watched(browser, write(tmp_path, root))
    assert seen.page.inner_text("#matching").startswith("0 of 0 classes")
    assert seen.page.locator("#company-none").is_visible()
    seen.page.locator("#grid").focus()
    seen.page.keyboard.press("ArrowDown")
    assert seen.trouble == []
