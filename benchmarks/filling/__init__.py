"""Fills a database with a company's three years: a market, its people, accounts, leads, deals."""
