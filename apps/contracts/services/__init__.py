"""What happens to contracts."""
