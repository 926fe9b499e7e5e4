"""Reading conversations from files and sending them, so that an interrupted ingest continues where it stopped.

Files come in and conversations with stable ids go out; a second ingest of the same file changes nothing; what
cannot be accepted is listed with its line in a report, and never sinks its neighbours.
"""
