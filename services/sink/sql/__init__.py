"""All SQL of the sink: what is claimed, what is written, what is read, and how rollups are recounted."""
