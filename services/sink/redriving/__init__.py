"""Sending dead letters again, byte for byte and once, or dropping them; what was decided, when and by whom is kept."""
