"""WordNet: its files as they are, its synsets as arrays, and the terms that captions may write."""
