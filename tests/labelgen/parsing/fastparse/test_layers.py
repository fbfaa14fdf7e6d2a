"""The compiled loops between the products: what they compute, whatever stands beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgen.parsing.fastparse import layers

WIDTH = 8


def drawn(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def settled(pieces: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Maxout and layer normalisation as one writes them down, in 64 bits."""
    largest = pieces.astype(np.float64).reshape(len(pieces), 3, -1).max(axis=1)
    largest -= largest.mean(axis=1, keepdims=True)
    normal: np.ndarray = largest / np.sqrt((largest**2).mean(axis=1, keepdims=True) + 1e-8) * gain + shift
    return normal


def by_pairs(rows: np.ndarray, lengths: np.ndarray, beyond: int, weights: np.ndarray) -> np.ndarray:
    """The rows after one convolution as `Encoder` computes it, without its blocks."""
    gain, shift, bias = drawn(WIDTH, seed=2), drawn(WIDTH, seed=3), drawn(3 * WIDTH, seed=4)
    inputs = np.zeros((layers.NUM_PRODUCTS, len(rows), WIDTH), np.float32)
    pairs = layers.spread(rows, lengths, beyond, inputs)
    products = np.matmul(inputs[:, :pairs], layers.for_pairs(weights))
    after = rows.copy()
    layers.settle(products, bias, gain, shift, after, lengths, beyond)
    return after


@settings(max_examples=40)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4), beyond=st.integers(0, 2), seed=st.integers(0, 99))
def test_convolution__by_pairs_is_the_direct_one(lengths: list[int], beyond: int, seed: int) -> None:
    rows = drawn(sum(lengths) + 2 * layers.MARGIN * len(lengths), WIDTH, seed=seed)
    weights = drawn(3 * WIDTH, 3 * WIDTH, seed=1)
    after = by_pairs(rows, np.array(lengths), beyond, weights)
    gain, shift, bias = drawn(WIDTH, seed=2), drawn(WIDTH, seed=3), drawn(3 * WIDTH, seed=4)
    start = 0
    for length in lengths:
        own = rows[start : start + length + 2 * layers.MARGIN]
        needed = np.arange(layers.MARGIN - beyond, layers.MARGIN + length + beyond)
        windows = np.concatenate([own[needed - 1], own[needed], own[needed + 1]], axis=1)
        expected = own.astype(np.float64)
        expected[needed] += settled(windows @ weights + bias, gain, shift)
        np.testing.assert_allclose(after[start : start + len(own)], expected, rtol=1e-3, atol=1e-3)
        start += len(own)


def test_convolution__of_a_caption_does_not_depend_on_the_others() -> None:
    rows = drawn(5 + 4 + 2 * 2 * layers.MARGIN, WIDTH, seed=7)
    weights = drawn(3 * WIDTH, 3 * WIDTH, seed=1)
    together = by_pairs(rows, np.array([5, 4]), 1, weights)
    apart = [by_pairs(own, np.array([len(own) - 2 * layers.MARGIN]), 1, weights) for own in (rows[:11], rows[11:])]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [8, 96])
def test_largest__is_maxout_and_layer_normalisation(width: int) -> None:
    pieces, gain, shift = drawn(50, 3 * width, seed=5), drawn(width, seed=6), drawn(width, seed=7)
    np.testing.assert_allclose(layers.largest(pieces, gain, shift), settled(pieces, gain, shift), rtol=1e-4, atol=1e-5)
    same = np.zeros((1, 3 * width), np.float32)
    np.testing.assert_array_equal(layers.largest(same, gain, shift)[0], shift)
