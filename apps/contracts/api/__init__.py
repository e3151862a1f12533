"""Addresses and endpoints of contracts."""
