"""A run: which node is next, calling it, and recording what came of it."""
