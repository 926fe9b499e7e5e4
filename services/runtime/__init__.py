"""What every service stands on: settings, Kafka, the event publisher, dead letters, logs, metrics and HTTP.

Nothing here knows what a service is for, and nothing here imports one.
"""
