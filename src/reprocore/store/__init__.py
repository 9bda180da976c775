"""How results lie on disk: files, tables, schemas, readers, identities and records."""
