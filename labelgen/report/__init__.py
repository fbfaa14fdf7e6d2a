"""Label sets → one HTML page that needs nothing else."""
