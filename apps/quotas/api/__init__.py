"""Addresses and endpoints of quotas."""
