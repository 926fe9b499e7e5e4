"""The commands, one module each: `register(app)` mounts what a module has."""
