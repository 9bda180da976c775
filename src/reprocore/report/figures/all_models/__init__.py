"""Figures over all models."""
