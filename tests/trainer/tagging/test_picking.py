import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from tests.labelset_factory import COLOURS, picture, vocabulary
from trainer.pictures.work import ROW
from trainer.sheet import Prediction, Sheet
from trainer.tagging import tagsheet
from trainer.tagging.album import Album
from trainer.tagging.picking import Tag, Tagged, news_of, pick
from trainer.tagging.tagger import TAGS

Row = tuple[str, dict[str, float]]


def table(rows: Sequence[Row], problem: str | None = None) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "source": "s",
                "key": key,
                "offset": 0,
                "size": 1,
                "problem": problem,
                "synsets": list(tags),
                "probabilities": list(tags.values()),
            }
            for key, tags in rows
        ],
        schema=pa.schema([*ROW, *TAGS]),
    )


ROWS: list[Row] = [(str(number), {"dog.n.01": number / 200, "cat.n.01": 0.3}) for number in range(100)]
ROWS.append(("rare", {"okapi.n.01": 0.2}))


def test_pick__frequent_and_rare_ones() -> None:
    picked = pick([table(ROWS)], 12, seed=0)
    assert len(picked.pictures) == len({each.key for each in picked.pictures}) == 12
    assert (picked.total, picked.counts) == (101, {"dog.n.01": 100, "cat.n.01": 100, "okapi.n.01": 1})
    keys = {each.key for each in picked.pictures}
    assert {"rare", "99"} <= keys, "the surest of each synset are there"


def test_pick__does_not_depend_on_the_order() -> None:
    halves = [table(ROWS[50:][::-1]), table(ROWS[:50][::-1])]
    assert pick(halves, 12, seed=0).pictures == pick([table(ROWS)], 12, seed=0).pictures
    assert pick(halves, 12, seed=1).pictures != pick(halves, 12, seed=0).pictures


def test_pick__broken_ones_are_not_shown() -> None:
    picked = pick([table(ROWS[:3]), table(ROWS[3:5], "damaged")], 12, seed=0)
    assert sorted(each.key for each in picked.pictures) == ["0", "1", "2"]
    assert picked.total == 3


def tagged(folder: Path, key: str, **tags: float) -> Tagged:
    size = (folder / key).stat().st_size
    return Tagged(str(folder), key, 0, size, tuple(Tag(f"{name}.n.01", p) for name, p in tags.items()), ())


def test_album__thumbnails_are_small_and_whole(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(picture(COLOURS[0], size=(300, 100), form="PNG"))
    (tmp_path / "small.png").write_bytes(picture(COLOURS[0], size=(20, 10), form="PNG"))
    album = Album({}, {})
    for key, size in (("wide.png", (90, 30)), ("small.png", (20, 10))):
        webp = album.thumbnail(tagged(tmp_path, key), 90)
        assert webp is not None
        with Image.open(io.BytesIO(webp)) as image:
            assert image.size == size
            np.testing.assert_allclose(np.asarray(image.convert("RGB")).mean((0, 1)), COLOURS[0], atol=12)


def test_album__what_is_gone_is_none_and_stdin_is_remembered(tmp_path: Path) -> None:
    data = picture(COLOURS[1])
    (tmp_path / "a.jpg").write_bytes(data)
    one = tagged(tmp_path, "a.jpg")
    (tmp_path / "a.jpg").unlink()
    assert Album({}, {}).pixels(one) is None
    assert Album({}, {}).thumbnail(one, 10) is None
    assert Album({}, {"-": data}).pixels(one._replace(source="-", key="-")) is not None


def test_draw__panels_without_captions_and_labels_are_lower(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(picture(COLOURS[number]))
    pictures = [tagged(tmp_path, f"{number}.jpg", colour1=0.9, colour0=0.2) for number in range(3)]
    (tmp_path / "2.jpg").unlink()
    sheet = tagsheet.draw(pictures, Album({}, {}), vocabulary(4), title="Two pictures", credit="Mine")
    labelled = Prediction(
        pixels_CHW=torch.zeros(3, 9, 9, dtype=torch.uint8),
        captions=["a caption"],
        labels=np.array([1]),
        probabilities_K=np.ones(4, np.float32),
    )
    with_labels = Sheet(title="Two samples", names=["a", "b", "c", "d"]).draw([labelled, labelled])
    assert sheet.width == with_labels.width, "two panels, as one picture is gone"
    assert sheet.height < with_labels.height


def test_news_of__what_is_likelier_than_the_tag_itself() -> None:
    row = {
        "synsets": ["man.n.01", "dog.n.01", "person.n.01"],
        "probabilities": [0.5, 0.4, 0.2],
        "above": ["person.n.01", "dog.n.01", "animal.n.01"],
        "above_probabilities": [0.5, 0.4, 0.4],
    }
    assert news_of(row) == (Tag("person.n.01", 0.5), Tag("animal.n.01", 0.4))
