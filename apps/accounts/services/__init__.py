"""What happens to accounts: opened, imported, changed, handed over, deleted, and to contacts."""
