"""Figures over all models.

Each `draw_…` takes the study and tables by the names of their schemas: `early` is of
`EARLY_SCHEMA`, and so on, of all models together. Where one measure is drawn, it is
`study.drawn_measure`.
"""
