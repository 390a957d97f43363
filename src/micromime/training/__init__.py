"""Networks: how they are built, fed, fitted, kept and asked."""

import warnings

# fastai 2.8 decorates its affine transforms with torch.jit.script, which torch 2.14 drops; users can do nothing.
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
