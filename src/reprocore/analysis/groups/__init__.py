"""Groups of models of any origin: the measures, estimates and tests of a study for arrays."""
