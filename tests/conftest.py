"""Shared by all tests: where real data lies, and language data loaded once per process."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("CATLIP_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real corpora. Its absence skips the test, or fails it where CATLIP_REQUIRE_TEST_DATA is set."""
    if not TEST_DATA.is_dir():
        message = f"real test data is not at {TEST_DATA}; set CATLIP_TEST_DATA"
        if os.environ.get("CATLIP_REQUIRE_TEST_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return TEST_DATA
