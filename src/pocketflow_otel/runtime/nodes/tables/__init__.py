"""What the node types of tables share."""
