"""What partners say of customers."""
