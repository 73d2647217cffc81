"""For each quadrant of each image, the images whose quadrant is most like it."""
