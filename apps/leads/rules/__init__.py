"""Decisions about leads that need neither database nor clock."""
