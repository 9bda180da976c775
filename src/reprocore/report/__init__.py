"""What a person reads: the summary, the figures, the audit of published claims."""
