"""What happens to commissions."""
