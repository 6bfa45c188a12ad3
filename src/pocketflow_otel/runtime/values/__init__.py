"""What goes from node to node."""
