"""Decisions on analysis versions, on a real Postgres."""
