"""What X's columns hold, and what may happen to them."""
