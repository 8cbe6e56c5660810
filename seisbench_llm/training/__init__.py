"""Training: losses, augmentations, Lightning modules."""

# Files of the folder, imported one by one: most of them need the extra train.
__all__ = [
    "augmentations",
    "checkpoints",
    "datamodule",
    "fit",
    "generator",
    "labellers",
    "losses",
    "module",
    "recipes",
    "run_folder",
    "teachers",
    "to_weights",
]
