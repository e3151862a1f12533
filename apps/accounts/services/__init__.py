"""What happens to accounts: opened, changed, handed over, deleted, and the people there."""
