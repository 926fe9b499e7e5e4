"""Sinks killed inside open transactions while outcomes arrive: what is sent, who kills, what must be stored."""
