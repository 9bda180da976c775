"""Figures of a study: how one is laid out and styled, of one model, and over all models."""
