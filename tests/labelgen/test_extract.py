import pickle

import pytest

from labelgen.extract import Seconds, Settings, fingerprint
from labelgen.inmemory import Labelling
from labelgen.parsing.normalize import MAX_CHARACTERS
from labelgen.parsing.nouns import NOUNS
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Image, InputShard, Problem, Sample
from labelshards.images import ImageFile


@pytest.mark.parametrize("nouns", NOUNS)
def test_fingerprint__is_the_same_in_a_worker(nouns: str) -> None:
    """Settings reach a worker pickled: what they say must count, not which objects say it."""
    settings = Settings(rules=1, labeler="noun-chunks", fields=Fields(), keep_captions=False, terms="", tools={},
                        nouns=nouns)  # fmt: skip
    shard = InputShard(name="a", uri="a.tar", format="tar", identity="1", size=2)
    assert fingerprint(shard, pickle.loads(pickle.dumps(settings))) == fingerprint(shard, settings)


def test_collect__counts_samples_by_what_is_wrong(labelling: Labelling) -> None:
    long, nothing = "a dog " * MAX_CHARACTERS, " " * 20 * MAX_CHARACTERS
    missing, twice = (Problem.MISSING_CAPTION,), (Problem.EMPTY_CAPTION, Problem.DUPLICATE_KEY)
    captions: list[tuple[str, ...]] = [
        ("a dog",),
        ("", "a cat", ""),
        (long, long),
        (nothing,),
        (),
        ("", "a dog"),
        ("of",),
    ]
    problems = [(), (), (), (), missing, twice, ()]
    samples = [Sample(str(row), *each) for row, each in enumerate(zip(captions, [None] * 7, problems, strict=True))]
    report = labelling._extractor.collect(iter(samples), "", Seconds()).report
    assert (report.samples, report.captions, report.images) == (7, 6, 0)
    assert report.problems == {
        "caption cut (too long)": 2,
        "duplicate key": 1,
        "empty caption": 3,
        "missing caption": 1,
        "no noun to label": 1,
    }


def test_collect__numbers_the_files_of_images(labelling: Labelling) -> None:
    files = [ImageFile(uri=uri, bytes=9) for uri in ("a.jpg", "b.jpg")]
    images = [None, Image(files[1], 0, 9), Image(files[0], 1, 8), None, Image(files[1], 2, 7)]
    samples = [Sample(str(row), ("a dog",), image) for row, image in enumerate(images)]
    found = labelling._extractor.collect(iter(samples), "", Seconds())
    assert found.report.image_files == (files[1], files[0])
    assert found.report.images == 3
    assert found.images.to_pylist() == [
        None,
        {"file": 0, "offset": 0, "size": 9},
        {"file": 1, "offset": 1, "size": 8},
        None,
        {"file": 0, "offset": 2, "size": 7},
    ]
