"""The hard captions, labelled among real ones: none may get a label that a person ruled out, but for the known ones.

golden/hard_captions_open.json lists the captions that still do. It is written anew with CATLIP_UPDATE_GOLDEN=1.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from labelgen.inmemory import Labelling

GOLDEN = Path(__file__).parent / "golden"
OPEN = GOLDEN / "hard_captions_open.json"
NUM_REAL_SAMPLES = 2_000


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((GOLDEN / "hard_captions.json").read_text())
    return loaded


def real_samples(test_data: Path) -> list[list[str]]:
    """The first caption of some pictures of COCO."""
    annotations = json.loads((test_data / "coco-captions-val2017.json").read_text())["annotations"]
    first = {annotation["image_id"]: annotation["caption"] for annotation in reversed(annotations)}
    return [[caption] for _, caption in sorted(first.items())][:NUM_REAL_SAMPLES]


@pytest.mark.slow
def test_hard_captions__no_label_that_was_ruled_out(
    labelling: Labelling, entries: list[dict[str, Any]], test_data: Path
) -> None:
    samples = [[entry["caption"]] for entry in entries]
    labels = labelling.label([*samples, *real_samples(test_data)])[: len(samples)]
    wrong = {
        entry["caption"]: sorted(found & set(entry["forbidden"]))
        for entry, found in zip(entries, labels, strict=True)
        if found & set(entry["forbidden"])
    }
    if os.environ.get("CATLIP_UPDATE_GOLDEN"):
        OPEN.write_text(json.dumps(sorted(wrong), indent=1, ensure_ascii=False) + "\n")
    known = set(json.loads(OPEN.read_text()))
    newly_wrong = [f"{caption!r} gets {', '.join(wrong[caption])}" for caption in sorted(wrong.keys() - known)]
    now_right = [f"{caption!r} is right now: take it out of {OPEN.name}" for caption in sorted(known - wrong.keys())]
    assert not newly_wrong + now_right, "\n".join(newly_wrong + now_right)


def test_hard_captions_open__are_hard_captions(entries: list[dict[str, Any]]) -> None:
    known: list[str] = json.loads(OPEN.read_text())
    assert known == sorted(set(known))
    assert set(known) <= {entry["caption"] for entry in entries}
