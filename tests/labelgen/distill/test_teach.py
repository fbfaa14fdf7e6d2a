from itertools import chain
from pathlib import Path

import pytest

from labelgen import sources
from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill import table, teach
from labelgen.distill.agreement import agreement
from labelgen.distill.labeler import Distilled
from labelgen.distill.table import Agreement, Table, Taught
from labelgen.mentions.reader import Captions
from labelgen.parsing.nouns import ChunkParser
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard
from labelshards.errors import CatlipError

PERFECT = Agreement(precision=1, recall=1, f1=1)


@pytest.fixture
def shards(tmp_path: Path) -> list[InputShard]:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("".join(f"shard {number} row {row}\n" for row in range(2_000)))
    return sources.plan([str(tmp_path / "*.txt")], Fields())


def test_sample__is_spread_over_shards_and_rows(shards: list[InputShard]) -> None:
    texts = teach.sample(shards, Fields(), 400)
    assert len(texts) == len(set(texts)) == 400
    texts = teach.sample(shards, Fields(), 4_000)
    assert {text.split()[1] for text in texts} == {"0", "1", "2", "3"}
    assert {int(text.split()[3]) // 500 for text in texts} == {0, 1, 2, 3}


def test_sample__does_not_depend_on_the_order_of_shards(shards: list[InputShard]) -> None:
    assert teach.sample(shards, Fields(), 1_500) == teach.sample(shards[::-1], Fields(), 1_500)


def test_sample__all_if_there_are_fewer(shards: list[InputShard]) -> None:
    assert len(teach.sample(shards, Fields(), 10_000)) == 8_000


def test_sample__leaves_out_what_cannot_be_read(shards: list[InputShard]) -> None:
    Path(shards[1].uri).unlink()
    assert {text.split()[1] for text in teach.sample(shards, Fields(), 8_000)} == {"0", "2", "3"}


def test_teach__the_same_captions_make_the_same_file(
    captions: list[str], learnt: bytes, lexicon: Lexicon, chunk_parser: ChunkParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teach, "ChunkParser", lambda _model: chunk_parser)
    assert teach.teach(captions, lexicon, "the loaded one", "a test") == learnt


def test_agreement__of_the_teacher_with_itself_is_perfect(labeler: Distilled, captions: list[str]) -> None:
    found = [list(chain.from_iterable(labeler.phrases(parse))) for parse in labeler.parse(Captions(captions, captions))]
    assert agreement(labeler, captions, found) == (PERFECT, PERFECT)


def test_agreement__counts_what_is_missing(labeler: Distilled) -> None:
    texts = ["a dog on a beach"]
    (right,) = [list(chain.from_iterable(labeler.phrases(parse))) for parse in labeler.parse(Captions(texts, texts))]
    labels, _ = agreement(labeler, texts, [right[:1]])
    assert (labels.precision, labels.recall) == (0.5, 1)


def test_refuse_below__names_the_number_and_the_floor(small_table: Table) -> None:
    teach.refuse_below(small_table.taught.labels.f1, small_table.taught)
    poor = Taught(
        by="", captions=9_000, held_out=1_000, labels=Agreement(precision=1, recall=0.7, f1=0.8235), terms=PERFECT
    )
    with pytest.raises(CatlipError, match=r"9,000 captions agrees .* F1 = 0\.824 on 1,000 others, .*floor 0\.9"):
        teach.refuse_below(0.9, poor)


def test_table__says_what_it_was_taught(learnt: bytes, small_table: Table, captions: list[str]) -> None:
    taught = small_table.taught
    assert taught.by == "a test"
    assert taught.captions + taught.held_out == len(captions)
    assert 0.9 < taught.labels.f1 < 1
    with pytest.raises(CatlipError, match="somewhere is no table of --nouns distilled"):
        table.from_bytes(learnt[:-20], "somewhere")


@pytest.mark.slow
def test_teach__agrees_on_web_texts(
    test_data: Path, lexicon: Lexicon, chunk_parser: ChunkParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teach, "ChunkParser", lambda _model: chunk_parser)
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()
    texts = [line.partition("\t")[0] for line in lines[:8_000]]
    assert table.from_bytes(teach.teach(texts, lexicon, "", ""), "here").taught.labels.f1 >= 0.94
