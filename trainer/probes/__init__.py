"""What an encoder knows, measured with its weights frozen."""
