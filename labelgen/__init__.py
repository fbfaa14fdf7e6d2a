"""Stage 1: captions → nouns → synsets → support → label set. Runs on CPUs, once, and never sees torch."""
