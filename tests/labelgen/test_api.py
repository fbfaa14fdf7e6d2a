import subprocess
import sys
from collections.abc import Callable

import pytest

from labelgen import Labeler


@pytest.fixture(scope="module")
def labeler(use_loaded: Callable[[pytest.MonkeyPatch], None]) -> Labeler:
    with pytest.MonkeyPatch.context() as patch:
        use_loaded(patch)
        return Labeler()


def test_labeler__names_the_synsets_of_each_caption(labeler: Labeler) -> None:
    captions = ["two dogs and a polar bear", "a crane lifting steel", ""]
    assert labeler(captions) == [["dog.n.01", "ice_bear.n.01"], ["crane.n.04", "steel.n.01"], []]
    assert labeler([]) == []


def test_labeler__one_caption_is_no_list(labeler: Labeler) -> None:
    with pytest.raises(TypeError, match="list of captions"):
        labeler("a dog")


def test_packages__import_nothing_heavy() -> None:
    code = (
        "import sys, labelgen, labelshards, trainer;"
        "print([name for name in ('spacy', 'nltk', 'torch', 'timm', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
