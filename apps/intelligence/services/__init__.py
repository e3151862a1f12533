"""What happens to models: learned, published, retired, and used to score."""
