"""Shadows the services, keeps what they stand on."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[5] / "services"))
