"""One self-contained page of everything: `page`, and `offline` for DVC's own plots."""
