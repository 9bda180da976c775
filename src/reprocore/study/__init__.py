"""What is asked for: the configuration, its cells, their places and permissions."""
