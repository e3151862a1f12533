"""Answers about forecasts: for whom they are made, and what changed."""
