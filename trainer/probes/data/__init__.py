"""Labelled pictures for probes, from whatever people keep them in."""
