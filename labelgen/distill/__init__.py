"""spaCy teaches a table on a sample of the corpus, and the table labels the rest, thirty times as fast."""
