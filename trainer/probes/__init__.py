"""What an encoder knows, measured with its weights frozen, or by training it on a task."""
