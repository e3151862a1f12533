"""What leaves the platform for other systems, and what comes in from them."""
