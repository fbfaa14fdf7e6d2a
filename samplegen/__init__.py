"""Drawn scenes with captions: something to run the whole toolchain on where nothing can be downloaded.

The way of a scene: emoji_nouns (what there is) → scenes (what is where) → captions and drawing → dataset (on disk).
"""
