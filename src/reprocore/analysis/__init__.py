"""Tables: pairs, trajectories, estimates, contrasts, over models, summary."""
