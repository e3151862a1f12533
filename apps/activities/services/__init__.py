"""What happens to activities."""
