"""Answers about scores, and about what wins and loses deals."""
