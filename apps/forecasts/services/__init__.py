"""What happens to forecasts: computed from the deals, and submitted by people."""
