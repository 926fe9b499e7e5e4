"""The routes of the read API: validate, read, answer."""
