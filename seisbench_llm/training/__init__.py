"""Training: losses, augmentations, Lightning modules."""
