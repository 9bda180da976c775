"""One cell: models, randomness, the training loop, checkpoints."""
