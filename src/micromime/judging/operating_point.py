"""The threshold at which each run is judged: chosen on synthetic pictures, so that none is better placed by chance.

A network that finds too much or too little at one threshold may be as good as another at its own. Test pictures have
no say in it: the threshold is the one of highest mean IoU on the scoring set.
"""

import pandas as pd

from micromime.judging.metrics import SEGMENTATION
from micromime.judging.picture_scores import THRESHOLDS

CHOSEN_BY = "mean_iou"


def operating_points(scoring: pd.DataFrame) -> pd.DataFrame:
    """Return `threshold` for each arm and run (the index), of their answers to the scoring set.

    Of thresholds that do equally well, the lowest.
    """
    means = scoring.groupby(["arm", "run"], sort=False)[[f"{CHOSEN_BY}.at_{each}" for each in THRESHOLDS]].mean()
    best = [THRESHOLDS[int(place)] for place in means.to_numpy().argmax(axis=1)]
    return pd.DataFrame({"threshold": best}, index=means.index)


def at_operating_points(tested: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return arm, run, picture, source and the metrics of answers to the test set, each run's at its own threshold."""
    rows = tested.join(points, on=["arm", "run"])
    scores = {name: [row[f"{name}.at_{row['threshold']}"] for row in rows.to_dict("records")] for name in SEGMENTATION}
    return rows[["arm", "run", "picture", "source"]].assign(**scores)
