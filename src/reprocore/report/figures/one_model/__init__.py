"""Figures of one model."""
