"""What an encoder's head sees in pictures, in words."""
