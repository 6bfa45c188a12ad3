"""Files of nodes: where they are, what is in them, and writing them whole or not at all."""
