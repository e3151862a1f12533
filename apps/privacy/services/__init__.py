"""What people in the data can ask for: a copy of everything, and to be erased."""
