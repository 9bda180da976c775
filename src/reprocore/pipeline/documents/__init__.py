"""Documents that follow from the code: what `reprocore document` writes."""
