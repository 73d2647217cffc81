"""Run a document's experiments (`plan`), side by side and resumable (`crew`, `cell`), and set what
came out beside what was published (`results`, `figures`)."""
