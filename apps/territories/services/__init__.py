"""What happens to territories: drawn and redrawn, staffed, granted, and work handed out."""
