"""Numbers in, numbers out: measures, intervals and tests, with numpy and scipy alone."""
