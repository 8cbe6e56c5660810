"""Reproducible SeisBench generator, with a seed for every sample."""

import numpy as np
import seisbench.generate as sbg


class SeededGenerator(sbg.GenericGenerator):
    """
    SeisBench's :py:class:`~seisbench.generate.GenericGenerator`, with a seed for every sample.

    Random numbers of augmentations depend only on the seed, the epoch and the record, not on the
    number of workers or processes or on earlier draws. A training that is resumed in the middle of
    an epoch therefore sees the same samples.

    Indices continue through the epochs: ``i + epoch * len(generator)``.

    :param dataset: SeisBench data set.
    :param augmentations: In the order in which they are applied.
    :param seed: Any integer >= 0.
    """

    def __init__(self, dataset, augmentations: list, seed: int = 0):
        super().__init__(dataset)
        self.add_augmentations(list(augmentations))
        self.seed = seed

    def __getitem__(self, idx):
        idx = int(idx)
        if idx < 0:
            raise IndexError("An index is a record's number plus epoch * len(generator).")
        epoch, record = divmod(idx, len(self))
        state = np.random.get_state()
        # SeisBench's augmentations draw from NumPy's global generator.
        np.random.seed(np.random.SeedSequence([self.seed, epoch, record]).generate_state(4))
        try:
            return super().__getitem__(record)
        finally:
            np.random.set_state(state)
