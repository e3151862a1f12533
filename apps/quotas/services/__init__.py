"""What happens to quotas and their credits."""
