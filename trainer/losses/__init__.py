"""Losses over many classes of which a sample has a few: positives enter by their coordinates, no dense target exists.

Each is a function of logits and `Positives` with a gradient of its own. `fused` computes the head and a separable loss
together, piece by piece of the vocabulary, so that the logits never exist as a whole either.
"""
