"""Answers about quotas: what is attained of them, and how a year is planned."""
