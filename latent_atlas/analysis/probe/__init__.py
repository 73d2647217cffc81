"""Linear probe: the accuracy of classifiers on the features of backbones and trained runs."""
