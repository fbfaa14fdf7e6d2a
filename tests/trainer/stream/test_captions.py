"""Captions on their way from a label set to tokens of a batch."""

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from tests.tiny_run import go
from tests.trainer.objectives.tiny_text import TEXT
from tests.trainer.stream.test_loader import copied, equal, make_reader, read
from trainer.objectives.text import TextConfig, Tokenizer
from trainer.stream.batch import Batch
from trainer.stream.reader import StepReader
from trainer.stream.steps import MultiScale

TOKENIZER = Tokenizer("ViT-B-16", 8)


def reading(labels: Path, **changes: Any) -> StepReader:  # noqa: ANN401
    return make_reader(labels, tokenizer=TOKENIZER, **changes)


def test_tokens__are_open_clips_of_one_of_the_captions(labels: Path) -> None:
    reader = reading(labels)
    samples = reader.samples
    tokenizer = open_clip.get_tokenizer("ViT-B-16", context_length=8)
    second = 0
    for step, batch in enumerate(read(reader, range(6))):
        assert (batch.tokens_BT.shape, batch.tokens_BT.dtype) == ((8, 8), torch.int32)
        for tokens_T, (shard, nth) in zip(batch.tokens_BT, reader.share(step)[1].tolist(), strict=True):
            told = tokenizer(samples.captions(shard, nth)).tolist()
            assert tokens_T.tolist() in told
            second += told.index(tokens_T.tolist())
    assert 12 <= second <= 36  # of 48, of which half are expected


def test_tokens__without_a_tokenizer_there_are_none(labels: Path) -> None:
    [batch] = read(make_reader(labels), range(1))
    assert batch.tokens_BT.shape == (8, 0)
    assert make_reader(labels).most_bytes() == 8 * 16 * 16 * 3


def test_tokens__epochs_choose_anew_and_seeds_too(labels: Path) -> None:
    def rows(batch: Batch) -> list[list[int]]:
        return sorted(batch.tokens_BT.tolist())

    first, again = read(reading(labels, batch_size=30), range(2))
    [same] = read(reading(labels, batch_size=30), range(1))
    [other] = read(reading(labels, batch_size=30, seed=1), range(1))
    assert rows(first) == rows(same)
    assert rows(first) != rows(again)
    assert rows(first) != rows(other)


def test_tokens__ranks_together_read_what_one_reads(labels: Path) -> None:
    whole_reader = reading(labels)
    [whole] = read(whole_reader, range(3, 4))
    for rank in range(3):
        reader = reading(labels, rank=rank, world_size=3)
        [part] = read(reader, range(3, 4))
        positions = reader.share(3)[0] - whole_reader.share(3)[0][0]
        assert torch.equal(part.tokens_BT, whole.tokens_BT[positions])


@pytest.mark.slow
def test_tokens__workers_change_nothing(labels: Path) -> None:
    """Pixels and tokens share the ring's buffers, also where steps differ in size."""
    reader = reading(labels, multi_scale=MultiScale(num_sizes=3, min_size=16, max_size=32))
    alone, together = read(reader, range(2, 9)), read(reader, range(2, 9), num_workers=2)
    assert len({batch.images_BCHW.shape for batch in alone}) == 2
    assert all(map(equal, alone, together))


def test_room__holds_the_largest_step_and_is_not_copied(labels: Path) -> None:
    reader = reading(labels, multi_scale=MultiScale(num_sizes=3, min_size=16, max_size=32), rank=1, world_size=3)
    memory = np.zeros(reader.most_bytes(), np.uint8)
    for step in range(6):
        room = reader.room(step, memory)
        piece = reader.read(step, room)
        batch = copied(Batch.of(room, [piece]))
        room.tokens_BT[:] = -1
        room.images_BHWC[:] = 0
        assert (batch.tokens_BT > 0).any(dim=1).all()
        assert np.shares_memory(room.tokens_BT, memory)
        assert (Batch.of(room, [piece]).tokens_BT == -1).all()


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures, of which one has no caption, one an empty one, and one a blank one beside its own."""
    captions = [["a colour"]] * 9 + [[], [" ", ""], ["", "a tint"]]
    items = [
        Item(key=f"k{n}", labels=[n % 4], image=picture(COLOURS[n % 4], seed=n), captions=texts)
        for n, texts in enumerate(captions)
    ]
    return write_label_set(tmp_path_factory.mktemp("silent"), [items])


def test_read__what_has_no_caption_gives_its_place_to_the_next(silent: Path) -> None:
    [batch] = read(reading(silent, batch_size=12), range(1))
    assert sorted(batch.bad) == [("00000/k10", "no caption"), ("00000/k9", "no caption")]
    told = {tuple(row) for row in batch.tokens_BT.tolist()}
    assert told == {tuple(TOKENIZER([text])[0].tolist()) for text in ("a colour", "a tint")}
    [unasked] = read(make_reader(silent, batch_size=12), range(1))
    assert not unasked.bad


def test_read__captions_that_are_all_empty_stop_the_run(tmp_path: Path) -> None:
    items = [Item(key=f"k{n}", labels=[0], image=picture(COLOURS[0], seed=n), captions=[""]) for n in range(8)]
    with pytest.raises(CatlipError, match="100 pictures in a row are broken or without a caption, for example 00000/k"):
        read(reading(write_label_set(tmp_path, [items])), range(1))


def test_train__samples_without_a_caption_are_counted(silent: Path, tmp_path: Path) -> None:
    outcome = go(silent, tmp_path / "run", "objective=clip", *TEXT, "plan.steps=3", "plan.batch_size=12")
    assert outcome.metrics is not None
    assert outcome.metrics.bad == {"no caption": 6}
    assert "no caption" in (tmp_path / "run" / "broken.jsonl").read_text()


def test_train__a_label_set_without_captions_is_refused(tmp_path: Path) -> None:
    plain = write_label_set(tmp_path, coloured(1, 8), with_captions=False)
    with pytest.raises(
        CatlipError, match=r"keeps no captions, from which objective = 'siglip' learns.*--keep-captions"
    ):
        go(plain, tmp_path / "run", "objective=siglip", *TEXT)
    assert not (tmp_path / "run").exists()


def test_tokenizer__long_captions_are_cut_and_keep_their_end() -> None:
    [tokens] = TOKENIZER(["one two three four five six seven eight nine"])
    assert tokens.dtype == np.int32
    assert tokens[0] == 49406
    assert tokens[-1] == 49407


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TextConfig(model="ViT-B-17"), r"text.model: open_clip has no model 'ViT-B-17'; did you mean ViT-B-1"),
        (TextConfig(model="ViT-B-16-SigLIP"), "reads texts with a tokenizer that open_clip does not have itself"),
        (TextConfig(width=100), r"text.width = 100 is no multiple of text.heads = 8"),
    ],
)
def test_text__what_cannot_be_built_is_named(config: TextConfig, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        Tokenizer.of(config)
