"""Models: families, their layers and activations, and how one is built and checked."""
