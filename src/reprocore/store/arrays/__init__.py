"""Outputs of models from anywhere, read in portions: numpy, torch, Parquet, JSON lines."""
