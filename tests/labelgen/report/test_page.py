"""What stands in a report → HTML."""

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from labelgen.report.collect import collect
from labelgen.report.data import Report
from labelgen.report.page import render
from labelshards.labelset import LabelSet


@pytest.fixture(scope="module")
def report(animals: Path) -> Report:
    return collect([LabelSet.open(str(animals))], thumbnails_per_class=2, moved={})


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render(report).decode()


def blocks(page: str) -> dict[str, str]:
    return dict(re.findall(r'<script type="text/plain" id="([^"]+)">([^<]*)</script>', page))


def unpacked(block: str) -> Any:  # noqa: ANN401
    return json.loads(gzip.decompress(base64.b64decode(block)))


def test_render__everything_is_in_it(report: Report, page: str) -> None:
    found = blocks(page)
    assert set(found) == {"data-core", "data-details-0", "data-pictures-0", "data-plotly"}
    assert unpacked(found["data-core"])["columns"]["synset"] == report.core.columns.synset
    details = unpacked(found["data-details-0"])
    assert len(details) == 13
    assert details[1][0]["terms"] == [["dog", 30]]
    album = json.loads(found["data-pictures-0"])
    assert [base64.b64decode(each[0]) for each in album] == [each.webp for each in report.pictures]
    assert album[0][2] == report.pictures[0].caption


def test_render__blocks_are_cut(report: Report) -> None:
    many = Report(report.title, report.core, report.details * 50, report.pictures * 40)
    found = blocks(render(many).decode())
    assert sum(len(unpacked(block)) for name, block in found.items() if name.startswith("data-details")) == 13 * 50
    assert {name for name in found if name.startswith("data-details")} == {f"data-details-{at}" for at in range(3)}


def test_render__hostile_texts_end_no_script(report: Report, page: str) -> None:
    """As many scripts as were written, and each with the page's own word; the title is text."""
    nonces = re.findall(r"<script([^>]*)>", page)
    assert len(nonces) == len(re.findall(r"</script>", page)) == 4 + 11  # base.js is in every page
    (policy,) = re.findall(r"script-src 'nonce-([0-9a-f]{16})'", page)
    assert {each for each in nonces if "text/plain" not in each} == {f' nonce="{policy}"'}
    hostile = Report("</title><script>alert(1)</script>{{data}}", report.core, [], [])
    shown = render(hostile).decode()
    assert f"<title>{html.escape(hostile.title)}</title>" in shown
    assert shown.count('id="data-core"') == 1


def test_render__loads_nothing(page: str) -> None:
    shown = re.sub(r'<script type="text/plain".*?</script>', "", page)
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", shown)
    assert not re.findall(r"https?://|@import|url\(", shown)


def test_render__same_report_same_bytes(report: Report, page: str) -> None:
    assert render(report).decode() == page
