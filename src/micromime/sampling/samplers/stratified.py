"""As many images of every kind, however rare it is: what a sampler must beat that goes by scores."""

from micromime.sampling.sampler import Clustered


class Stratified(Clustered):
    """Shares the images out evenly over the clusters, and pays no heed to the scores (but for `stop_below`)."""
