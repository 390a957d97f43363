#!/usr/bin/env bash
# Pillow 13.0.0: of two equal TIFFs whose 0 is white, that of 8 bits is read inverted, as it looks, that of 16 bits is not.
#
# The tag PhotometricInterpretation 0 (WhiteIsZero) is usual for film scans and some microscopes. A reader that relies on
# Pillow sees the negative of such a micrograph as soon as it has 16 bits, and nothing says so: the mode is I;16 both for
# it and for one whose 0 is black. The tag is at hand (`tag_v2[262]`), so that a reader can turn the greys itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
cat >seen.py <<'PYTHON'
import numpy as np
import PIL.Image
import tifffile

ramp = np.arange(0, 60, 10, dtype=np.uint8).reshape(2, 3)
for pixels in (ramp, ramp.astype(np.uint16) * 257):
    for meaning in ("miniswhite", "minisblack"):
        tifffile.imwrite("ramp.tif", pixels, photometric=meaning)
        with PIL.Image.open("ramp.tif") as picture:
            print(pixels.dtype, meaning, picture.mode, picture.tag_v2[262], np.array(picture).ravel().tolist())
PYTHON
"$folder/env/bin/python" seen.py | tee seen
diff seen - <<'SEEN'
uint8 miniswhite L 0 [255, 245, 235, 225, 215, 205]
uint8 minisblack L 1 [0, 10, 20, 30, 40, 50]
uint16 miniswhite I;16 0 [0, 2570, 5140, 7710, 10280, 12850]
uint16 minisblack I;16 1 [0, 2570, 5140, 7710, 10280, 12850]
SEEN
