"""Stage 2: a label set and its pictures become an image encoder, and probes tell what it learned.

Knows labels only as class ids read through `labelshards`; nothing here parses a caption.
"""
