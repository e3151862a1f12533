"""Decisions about sign-in that need neither database nor clock, by noun."""
