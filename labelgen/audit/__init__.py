"""What is in a label set, in numbers and words: what people look at before they train."""
