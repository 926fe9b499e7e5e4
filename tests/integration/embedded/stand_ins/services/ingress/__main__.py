"""Run the stand-in."""

from services.stand_in import serve  # type: ignore[import-untyped]  # there at run time only

serve("ingress")
