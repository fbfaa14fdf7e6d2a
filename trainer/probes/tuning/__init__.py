"""Training for one task: an encoder's weights, or those of a head on it, on labelled pictures."""
