"""Limits that several instances share through a real Redis."""
