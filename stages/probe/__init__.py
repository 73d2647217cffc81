"""What features know of classes: a linear classifier on them, frozen or fine-tuned."""
