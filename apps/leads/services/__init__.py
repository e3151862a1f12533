"""What happens to leads."""
