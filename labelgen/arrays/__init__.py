"""Arrays that the other rooms think in: rows of different lengths, counts, what grows, is packed, or looked up."""
