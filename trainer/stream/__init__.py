"""The training stream: (seed, step) → places → samples → pixels and labels, in whatever process."""
