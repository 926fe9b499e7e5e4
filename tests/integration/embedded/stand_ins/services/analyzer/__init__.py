"""A stand-in for services.analyzer."""
