"""The page: one file that draws from the tables of a study and computes nothing."""
