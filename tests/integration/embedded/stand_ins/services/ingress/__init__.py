"""A stand-in for the ingress; its settings are the real ones."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
