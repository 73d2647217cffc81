"""Walk from one code to another, and measure what changes on the way."""
