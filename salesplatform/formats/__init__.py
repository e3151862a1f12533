"""How days and moments are written on pages: as in the API, ISO 8601."""
