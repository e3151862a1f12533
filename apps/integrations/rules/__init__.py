"""What leaves the platform: messages, when they are sent again, and where they may go."""
