"""A stand-in for services.sink."""
