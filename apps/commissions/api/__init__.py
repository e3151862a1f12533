"""Addresses and endpoints of commissions."""
