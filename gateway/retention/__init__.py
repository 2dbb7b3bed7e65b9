"""What is kept for how long, and what takes it away in the end."""
