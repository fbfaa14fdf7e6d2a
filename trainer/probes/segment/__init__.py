"""Semantic segmentation: what class each pixel has, told by a head on an encoder's patch features."""
