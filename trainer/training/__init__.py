"""A run, from its first step to its last: what a step does, when it ends, what is written of it."""
