"""What a step minimises: one file for each objective, and `kinds`, where the rest of the trainer finds them by name."""
