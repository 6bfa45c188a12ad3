"""The node types that come along, one module each."""
