"""Figures of one model.

Each `draw_…` takes the study, one of its models, and tables of that model by the names of their
schemas: `cells` is of `CELLS_SCHEMA`, and so on. Where one measure is drawn, it is
`study.drawn_measure`.
"""
