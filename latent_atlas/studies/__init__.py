"""Studies: the experiments of a document, run again and compared with the published values."""
