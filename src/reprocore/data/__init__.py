"""What is learned: the text, its tokens, and the probe that every cell predicts."""
