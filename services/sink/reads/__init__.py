"""Questions to the tables, each on a connection that it is handed; answers are plain values for JSON."""
