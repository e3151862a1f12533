"""The wiring: settings, addresses and processes. Imports every app; no app imports it."""
