"""Reproducibility of a model's predictions under retraining."""
