"""The servers that everything else stands on: ready means answering, and data outlives a stop and a kill."""

from tests.infrastructure import Infrastructure, own_stack
