"""What is promised under kill -9, counted."""
