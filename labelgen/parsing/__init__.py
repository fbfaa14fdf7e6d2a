"""Raw caption → clean text → words, tags and noun chunks, by spaCy."""
