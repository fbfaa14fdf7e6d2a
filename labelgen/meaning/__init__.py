"""Terms → synsets: which sense a term has, given the corpus, and which synsets are no labels."""
