"""The contract between the stages: what a label set is on disk, and nothing else.

Stage 1 (`labelgen`) writes through this package, stage 2 (`trainer`) reads through it; the two never meet
elsewhere. The specification is docs/label-set-format.md.
"""
