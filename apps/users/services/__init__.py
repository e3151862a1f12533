"""What happens to people: added, changed, signed in and out."""
