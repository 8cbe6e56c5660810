"""Data sets, splits and loaders of a training, for Lightning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import seisbench
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from ..atomic import replacing
from ..data import splits
from ..data.datasets import open_dataset
from ..data.metadata import has_onset, is_unlabelled, usable
from ..models.seismollm import SeisMoLLM
from ..tasks import get_task
from .generator import SeededGenerator
from .recipes import recipe_for
from .teachers import Teachers

SIDES = ("train", "dev", "test")


# Largest number of draws of a record in one epoch. Further draws would be those of the next epoch.
_MOST_DRAWS = 10**6


class DataModule(lightning.LightningDataModule):
    """
    Windows and labels from one data set or a mixture of several.

    A sample depends only on the seed, the epoch and its record, not on workers, processes or
    interruptions. Task, window, sampling rate and filter are those of the model:

    .. code-block:: python

        data = DataModule("synthetic:1000", recipe="compact", batch_size=32)
        data.match(model)
        data.setup()

    :param dataset: Name of the data set, see :py:func:`seisbench_llm.data.open_dataset`, or
        several names.
    :param recipe: Augmentations: ``paper``, ``compact``, ``taught`` or ``plain``
        (:py:func:`~seisbench_llm.training.recipes.recipe`).
    :param teachers: Published pickers that label the windows of the recipe ``taught``, such as
        ``PhaseNet/volpick`` (:py:class:`~seisbench_llm.training.teachers.Teachers`). By default the
        labels are those of the data set.
    :param plain_copies: Number of times that an epoch contains each record without augmentation, in
        addition to the augmented one. The paper has 1.
    :param split: How train, dev and test are split: by ``event``, ``station``, ``row`` (as
        published), or by the data set's own ``column``.
    :param fractions: Fractions of train, dev and test.
    :param few_shot: Whether to keep only 10 % of all records for training and 5 % for development.
        With ``split: row`` this is as published. Otherwise whole events are kept.
    :param shares: With several data sets, how often each is drawn. By default the sizes of the data
        sets decide.
    :param samples_per_epoch: Number of records per epoch. By default each record is drawn once.
    :param noise: Name of a data set of noise, for recipes that add noise.
    :param batch_size: Windows per step and process.
    :param num_workers: Number of processes that read records.
    :param validate_on: Largest number of dev records. The seed selects them.
    :param seed: Seed of the split, the order and the augmentations.
    :raises ValueError: If an option is unknown, or if a side of the split is empty.
    """

    def __init__(
        self,
        dataset: str | list[str],
        recipe: str = "paper",
        teachers: list[str] | None = None,
        plain_copies: int = 1,
        split: str = "event",
        fractions: Sequence[float] = splits.PUBLISHED_FRACTIONS,
        few_shot: bool = False,
        shares: list[float] | None = None,
        samples_per_epoch: int | None = None,
        noise: str | None = None,
        batch_size: int = 256,
        num_workers: int = 4,
        validate_on: int | None = None,
        seed: int = 0,
    ):
        super().__init__()
        if split not in ("event", "station", "row", "column"):
            raise ValueError(f"split must be event, station, row or column, not '{split}'.")
        self.save_hyperparameters(logger=False)
        self.names = [dataset] if isinstance(dataset, str) else list(dataset)
        if teachers and recipe != "taught":
            raise ValueError(f"Teachers are for data.recipe=taught, not {recipe}.")
        if shares is not None and len(shares) != len(self.names):
            raise ValueError(f"{len(shares)} shares for {len(self.names)} data sets.")
        self.model: SeisMoLLM | None = None
        self.sides: list[pd.Series] = []

    def match(self, model: SeisMoLLM) -> None:
        """Take task, window, sampling rate and filter from the model that will be trained."""
        self.model = model

    def setup(self, stage: str | None = None) -> None:
        if self.sides:
            return
        if self.model is None:
            raise RuntimeError("Call match(model) first; it decides on windows and labels.")
        task, rate = self.model.task.name, self.model.sampling_rate
        self.datasets = [open_dataset(name, sampling_rate=rate) for name in self.names]
        for name, dataset in zip(self.names, self.datasets, strict=True):
            side = self._split(dataset.metadata)
            side[~usable(task, dataset.metadata).to_numpy()] = splits.UNUSED
            counts = side.value_counts()
            seisbench.logger.info(f"{name}: {counts.to_dict()}")
            self.sides.append(side)
        for side in SIDES[:2]:
            if not any((sides == side).any() for sides in self.sides):
                raise ValueError(
                    f"No record of {', '.join(self.names)} is left for '{side}' of "
                    f"{task}: {self.counts()}. Change data.split or data.fractions."
                )
        if get_task(task).head == "curves":
            self._check_onsets()
        noise = self.hparams.noise
        names = self.hparams.teachers
        self.teachers = Teachers.load(names) if names else None
        self.noise = None if noise is None else open_dataset(noise, sampling_rate=rate)

    def _check_onsets(self) -> None:
        """
        Check that there are onsets. Without them, a picker learns to pick nothing while its loss
        falls.
        """
        parts = zip(self.datasets, self.sides, strict=True)
        shown = [dataset.metadata[(sides == "train").to_numpy()] for dataset, sides in parts]
        for phases in ("PS", "P", "S"):
            if any(has_onset(metadata, phases).any() for metadata in shown):
                continue
            text = (
                f"None of the {sum(map(len, shown))} records of {', '.join(self.names)} to train on"
                f" has an onset of {' or '.join(phases)} (trace_<phase>_arrival_sample)"
            )
            if len(phases) == 2:
                raise ValueError(f"{text}: there is nothing to learn.")
            known = [m for m in shown if not is_unlabelled(m, phases).all()]
            if known:
                seisbench.logger.warning(
                    f"{text}: the picker will learn that there is none. If nobody looked for it, "
                    f"say so in a column trace_{phases.lower()}_unlabelled."
                )

    def _split(self, metadata: pd.DataFrame) -> pd.Series:
        options = self.hparams
        how, fractions, seed = options.split, options.fractions, options.seed
        if how == "column":
            if "split" not in metadata:
                raise ValueError("split: column needs a data set with a column 'split'.")
            side = metadata["split"].astype(object).where(metadata["split"].isin(SIDES))
            side = side.fillna(splits.UNUSED)
        elif how == "row":
            few = splits.PUBLISHED_FEW_SHOT if options.few_shot else fractions
            return splits.split_by_row(metadata, few, seed)
        elif how == "station":
            side = splits.split_by_station(metadata, fractions, seed)
        else:
            side = splits.split_by_event(metadata, fractions, seed)
            splits.check_leakage(metadata, side)
        return splits.few_shot(metadata, side, seed=seed) if options.few_shot else side

    def counts(self) -> dict[str, dict[str, int]]:
        """Records on each side of each data set."""
        return {
            name: {side: int((sides == side).sum()) for side in (*SIDES, splits.UNUSED)}
            for name, sides in zip(self.names, self.sides, strict=True)
        }

    def write_splits(self, folder: Path) -> None:
        """Write the names of the records on each side, one file per data set."""
        parts = zip(self.names, self.datasets, self.sides, strict=True)
        for i, (name, dataset, sides) in enumerate(parts):
            table = pd.DataFrame({"trace_name": dataset.metadata["trace_name"], "split": sides})
            table.insert(0, "dataset", name)
            with replacing(folder / f"split_{i}.csv.gz") as partial:
                # The same split gives the same bytes at any time.
                table.to_csv(partial, index=False, compression={"method": "gzip", "mtime": 0})

    def _generators(self, side: str, augment: bool) -> list[SeededGenerator]:
        options = self.hparams
        name = options.recipe if augment else "plain"
        teachers = self.teachers if augment else None
        steps = recipe_for(self.model, name, noise=self.noise, teachers=teachers)
        # Training and validation make different draws for the same record.
        seed = options.seed * len(SIDES) + SIDES.index(side)
        return [
            SeededGenerator(dataset.filter((sides == side).to_numpy(), inplace=False), steps, seed)
            for dataset, sides in zip(self.datasets, self.sides, strict=True)
        ]

    def train_dataloader(self) -> ResumableLoader:
        options = self.hparams
        parts = self._generators("train", augment=True)
        copies = options.plain_copies
        if copies:
            parts += self._generators("train", augment=False) * copies
        shares = options.shares and options.shares * (1 + copies)
        dataset = Epochs(parts)
        sampler = EpochSampler(
            [len(part) for part in parts],
            shares,
            options.samples_per_epoch,
            options.seed,
            self.trainer.global_rank if self.trainer else 0,
            self.trainer.world_size if self.trainer else 1,
        )
        loader = ResumableLoader(dataset, sampler=sampler, drop_last=True, **self._loader_options())
        if not len(loader):
            raise ValueError(
                f"{len(sampler)} training windows per process do not fill a batch of "
                f"{options.batch_size}. Lower data.batch_size."
            )
        return loader

    def val_dataloader(self) -> DataLoader:
        return self._fixed_loader("dev", self.hparams.validate_on)

    def test_dataloader(self) -> DataLoader:
        return self._fixed_loader("test", None)

    def _fixed_loader(self, side: str, limit: int | None) -> DataLoader:
        dataset: Dataset = ConcatDataset(self._generators(side, augment=False))
        chosen = np.arange(len(dataset))
        if limit is not None and limit < len(chosen):
            generator = np.random.default_rng(self.hparams.seed)
            chosen = np.sort(generator.choice(chosen, limit, replace=False))
        if self.trainer and self.trainer.world_size > 1:
            chosen = chosen[self.trainer.global_rank :: self.trainer.world_size]
        return DataLoader(dataset, sampler=chosen.tolist(), **self._loader_options())

    def _loader_options(self) -> dict:
        workers = self.hparams.num_workers
        return {
            "batch_size": self.hparams.batch_size,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "pin_memory": torch.cuda.is_available(),
            # The loader has its own generator, so that dropout does not depend on the number of
            # starts of loaders.
            "generator": torch.Generator().manual_seed(self.hparams.seed),
        }


class Epochs(Dataset):
    """
    Several generators, one after the other. An index is a pair of draw and number.

    :param parts: Generators.
    """

    def __init__(self, parts: list[SeededGenerator]):
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: tuple[int, int]) -> dict:
        draw, number = index
        which = int(np.searchsorted(self.ends, number, side="right"))
        part = self.parts[which]
        return part[number - (self.ends[which] - len(part)) + draw * len(part)]


class EpochSampler(torch.utils.data.Sampler):
    """
    Order of the records in an epoch, which depends only on the seed and the epoch.

    :param sizes: Number of records of each part.
    :param shares: How often each part is drawn, with replacement. By default each record is drawn
        once.
    :param samples: Number of records per epoch over all processes. By default all records.
    :param seed: Any integer >= 0.
    :param rank: Number of this process.
    :param world_size: Number of processes. Each gets its own share of the order.
    """

    def __init__(self, sizes, shares=None, samples=None, seed=0, rank=0, world_size=1):
        self.sizes, self.shares, self.seed = np.asarray(sizes), shares, seed
        self.rank, self.world_size = rank, world_size
        self.samples = int(self.sizes.sum()) if samples is None else samples
        self.epoch, self.skip = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples // self.world_size

    def __iter__(self):
        skip, self.skip = self.skip, 0
        order = self._order()
        # Records that are drawn again in an epoch are augmented anew.
        again = pd.Series(order).groupby(order).cumcount().to_numpy()
        order = np.stack([self.epoch * _MOST_DRAWS + again, order], axis=1)
        order = order[self.rank :: self.world_size][: len(self)]
        for draw, number in order[skip:]:
            yield int(draw), int(number)

    def _order(self) -> np.ndarray:
        generator = np.random.default_rng([self.seed, self.epoch])
        total = int(self.sizes.sum())
        if self.shares is None:
            rounds = -(-self.samples // total)
            return np.concatenate([generator.permutation(total) for _ in range(rounds)])[
                : self.samples
            ]
        shares = np.asarray(self.shares, float) * (self.sizes > 0)
        part = generator.choice(len(self.sizes), self.samples, p=shares / shares.sum())
        first = np.cumsum(self.sizes) - self.sizes
        return first[part] + generator.integers(self.sizes[part])


class ResumableLoader(DataLoader):
    """A loader that can continue in the middle of an epoch. Lightning keeps its state."""

    _position = (0, 0)

    def __iter__(self):
        first = self.sampler.skip // self.batch_size
        for number, batch in enumerate(super().__iter__(), first + 1):
            self._position = (self.sampler.epoch, number)
            yield batch

    def state_dict(self) -> dict[str, int]:
        epoch, batches = self._position
        return {"epoch": epoch, "batches": batches, "batch_size": self.batch_size}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if state["batch_size"] != self.batch_size:
            raise ValueError(
                f"The run was stopped within an epoch of batches of {state['batch_size']}; resume "
                f"with the same data.batch_size, not {self.batch_size}."
            )
        self._position = (state["epoch"], state["batches"])
        self.sampler.epoch = state["epoch"]
        if state["batches"] < len(self):
            self.sampler.skip = state["batches"] * self.batch_size
        else:
            # Workers begin to read before Lightning sets the epoch.
            self.sampler.epoch += 1


def fingerprint(folder: Path) -> str:
    """SHA-256 over the files that ``write_splits`` wrote, in hexadecimal."""
    digest = hashlib.sha256()
    for table in splits.read_splits(folder).values():
        digest.update(table.to_csv(index=False).encode())
    return digest.hexdigest()
