"""Presets: named sizes of SeisMoLLM as arguments of its constructor, and their changes per task."""

PRESETS: dict[str, dict] = {
    # The published model. Its sizes are the defaults; the language model is spelled out.
    "paper": {"backbone": "gpt2", "backbone_layers": 3},
    # For a CPU: one block of MiniLM over tokens twice as long, a thin embedder and head. The head's
    # channels and those of its skip signals add up to multiples of 16, which CPUs convolve fastest.
    "compact": {
        "backbone": "sentence-transformers/all-MiniLM-L6-v2",
        "backbone_layers": 1,
        "embedder_channels": (8, 16, 24),
        "embedder_kernels": (7, 5, 5, 1),
        "embedder_kernel_steps": (8, 6, 4, 2),
        "embedder_branches": 3,
        "patch": 16,
        "head_channels": (32, 24, 13, 16),
        "head_kernels": (3, 5, 7, 11),
        "head_skips": True,
        "pooled_kernel": 8,
        # A whole number of tokens; a remainder would be dropped and the rest stretched over it.
        "in_samples": 6016,
    },
    # No language model. The embedder and the head have two more stages instead, which see far
    # enough and cost less. Most packaged weights have this preset, see
    # docs/explanation/language-model.md.
    "convolutional": {
        "backbone": None,
        "width": 64,
        "patch": 1,
        "embedder_channels": (8, 16, 24, 32, 48),
        "embedder_kernels": (7, 5, 5, 5, 5, 5),
        "embedder_kernel_steps": (8, 6, 4, 4, 4, 4),
        "embedder_strides": (2, 2, 2, 2, 2, 2),
        "embedder_branches": 3,
        "head_channels": (48, 40, 32, 24, 16, 16),
        "head_kernels": (5, 5, 5, 5, 7, 11),
        "head_skips": True,
        "pooled_kernel": 8,
        "in_samples": 6016,
    },
}


# Windows of the tasks: the first motion, the polarisation of P, or P to the S coda. The first two
# are learnt from short windows in minutes, and hardly at all from long ones. A shift by less than a
# second changes little in a window of a minute, and each window costs time.
_UNTIL_S_CODA: dict = {
    "pred_sample": 500,
    "joint_norm": True,
    "pooled_hidden": 64,
    "default_args": {"windows_per_pick": 2},
}


_ABOUT_P: dict = {"in_samples": 512, "joint_norm": True, "default_args": {"window_jitter": 0.1}}


_TASK_ARGUMENTS = {
    "polarity": {
        **_ABOUT_P,
        "pred_sample": 256,
        # The network has only approximately learnt that a record upside down has the other answer.
        "default_args": {**_ABOUT_P["default_args"], "mirror": True},
    },
    "back_azimuth": {
        **_ABOUT_P,
        "pred_sample": 192,
        "polarisation": True,
        # The network has only approximately learnt to rotate its answer with the horizontals.
        "default_args": {**_ABOUT_P["default_args"], "rotations": 8},
    },
    "distance": _UNTIL_S_CODA,
    "magnitude": _UNTIL_S_CODA,
}


# Short windows leave few samples after strides.
_SMALL_STRIDES = {
    "width": 48,
    "embedder_channels": (16, 24, 32),
    "embedder_kernels": (7, 5, 5, 1),
    "embedder_kernel_steps": (8, 6, 4, 2),
    "embedder_strides": (2, 2, 2, 1),
}


# (preset, task) -> arguments that differ from the preset.
TASK_CHANGES: dict[tuple[str, str], dict] = {
    **{("compact", task): changes for task, changes in _TASK_ARGUMENTS.items()},
    **{
        ("convolutional", task): {
            **(_SMALL_STRIDES if "in_samples" in changes else {}),
            **changes,
        }
        for task, changes in _TASK_ARGUMENTS.items()
    },
}
