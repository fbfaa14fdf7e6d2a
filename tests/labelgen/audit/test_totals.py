from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen import candidates
from labelgen.audit import totals
from labelgen.audit.totals import classes_at, read_totals, support_here
from labelgen.meaning import resolved
from labelgen.meaning.atlas import Atlas
from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.labelset import LabelSet
from tests.vocab_factory import make_vocabulary, write_set

NAMES = ["dog.n.01", "cat.n.01", "sofa.n.01", "car.n.01", "tree.n.01", "beach.n.01"]
CAPTIONS = ["a dog and a cat", "two dogs", "a rare aardvark", "photo", "and so on", "", "a dog on the beach"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    samples=st.lists(st.lists(st.sampled_from(NAMES), max_size=5), min_size=1, max_size=12),
    order=st.none() | st.permutations(NAMES),
)
def test_read_totals__equals_a_count_by_hand(
    samples: list[list[str]], order: list[str] | None, atlas: Atlas, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given_vocab = None if order is None else make_vocabulary(atlas, {n: 3 * (6 - at) for at, n in enumerate(order)})
    label_set = write_set(tmp_path_factory.mktemp("set"), atlas, samples, vocabulary=given_vocab)
    vocab = label_set.vocabulary
    found = read_totals(label_set)
    unique = [set(sample) for sample in samples]
    assert found.samples_read == len(samples)
    by_hand = Counter(map(len, unique))
    assert found.labels_per_sample.tolist() == [by_hand[number] for number in range(len(found.labels_per_sample))]
    assert found.support.tolist() == [sum(name in sample for sample in unique) for name in vocab.synsets]
    supports = dict(zip(vocab.synsets, vocab.support.tolist(), strict=True))
    for at in found.by_threshold:
        kept = {name for name, support in supports.items() if support > at.threshold}
        assert at.classes == len(kept)
        assert at.samples == sum(bool(sample & kept) for sample in unique)
    assert sum(found.without_labels.values()) == sum(not sample for sample in unique)
    assert support_here(label_set, lambda: found).tolist() == found.support.tolist()


def test_read_totals__reasons_without_labels(tmp_path: Path, build_labels: Callable[..., str]) -> None:
    folder = build_labels(tmp_path, CAPTIONS, threshold=1)
    found = read_totals(LabelSet.open(folder)).without_labels
    assert found == {totals.NO_TERM: 2, totals.PRUNED: 1, totals.NO_LABEL: 1}


def test_read_totals__what_other_code_resolved_tells_less(
    tmp_path: Path, build_labels: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_set = LabelSet.open(build_labels(tmp_path, CAPTIONS, threshold=1))
    monkeypatch.setattr(resolved, "key_of", lambda *_: "other code")
    assert read_totals(label_set).without_labels == {totals.NO_TERM: 2, totals.PRUNED_OR_NO_LABEL: 2}


def test_read_totals__without_candidates_says_so(tmp_path: Path, build_labels: Callable[..., str]) -> None:
    label_set = LabelSet.open(build_labels(tmp_path, CAPTIONS, threshold=1))
    storage.remove(candidates.folder_of(label_set.root))
    assert read_totals(label_set).without_labels == {totals.UNKNOWN: 4}


def test_read_totals__of_many_samples_reads_some_shards(tmp_path: Path, atlas: Atlas) -> None:
    samples = [["dog.n.01"]] * 50 + [[]] * 50
    label_set = write_set(tmp_path, atlas, samples, num_shards=10)
    seen: list[tuple[int, int]] = []
    found = read_totals(label_set, lambda done, total: seen.append((done, total)), at_most=40)
    assert found.samples_read == 40
    assert found.labels_per_sample.tolist() == [20, 20]
    assert (seen[0], seen[-1]) == ((0, 40), (40, 40))


def test_support_here__is_scaled_up_where_not_all_was_read(tmp_path: Path, atlas: Atlas) -> None:
    vocab = make_vocabulary(atlas, {"dog.n.01": 999})
    label_set = write_set(tmp_path, atlas, [["dog.n.01"]] * 100, vocabulary=vocab, num_shards=10)
    assert support_here(label_set, lambda: read_totals(label_set, at_most=30)).tolist() == [100.0]


def test_read_totals__refuses_labels_that_no_class_has(tmp_path: Path, atlas: Atlas) -> None:
    label_set = write_set(tmp_path, atlas, [["dog.n.01", "cat.n.01"]])
    label_set.vocabulary = make_vocabulary(atlas, {"dog.n.01": 1})
    with pytest.raises(LabelSetError, match="vocabulary"):
        read_totals(label_set)


def test_read_totals__no_classes_and_no_samples(tmp_path: Path, atlas: Atlas) -> None:
    assert read_totals(write_set(tmp_path / "a", atlas, [[], []])).labels_per_sample.tolist() == [2]
    empty = read_totals(write_set(tmp_path / "b", atlas, [], num_shards=1))
    assert (empty.samples_read, empty.support.tolist()) == (0, [])


def test_classes_at__begins_at_the_threshold_of_the_set(atlas: Atlas) -> None:
    vocab = make_vocabulary(atlas, {"dog.n.01": 600, "cat.n.01": 40, "sofa.n.01": 8})
    assert classes_at(vocab, 7) == {7: 3, 10: 2, 25: 2, 100: 1, 500: 1, 1000: 0, 2500: 0, 5000: 0}
    assert classes_at(vocab, None)[0] == 3
    assert np.array_equal(vocab.support, [600, 40, 8])
