"""A stand-in for services.ingress."""
