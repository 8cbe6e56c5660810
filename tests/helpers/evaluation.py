"""What tests of evaluations share: tables of picks, names of figures."""

import numpy as np
import pandas as pd

from seisbench_llm.evaluate.metrics import NO_PICK

FIGURES = {
    "picking": {"residuals", "precision_recall", "recall"},
    "polarity": {"confusion", "reliability"},
    "magnitude": {"estimates", "errors"},
    "distance": {"estimates", "errors"},
    "back_azimuth": {"estimates", "errors"},
}


def pick_table(p_true, p_predicted, **columns):
    none = np.full(len(p_true), NO_PICK)
    return pd.DataFrame(
        {"p_true": p_true, "p_predicted": p_predicted, "s_true": none, "s_predicted": none}
        | columns
    )
