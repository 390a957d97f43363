#!/usr/bin/env bash
# Pillow 13.0.0: a TIFF with colours of 16 bits in planes is read as noise, without an error or a warning.
#
# Cameras and microscope programs write RGB of 16 bits as three planes (PlanarConfiguration 2). Uncompressed, Pillow takes
# the bytes of each plane for pixels of 8 bits, so that low and high bytes stand side by side and half a plane is missing;
# mode and size look sound. Pixel by pixel (PlanarConfiguration 1) it keeps the high bytes, which is what one expects.
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

planes = np.arange(3 * 2 * 4, dtype=np.uint16).reshape(3, 2, 4) * 1000
tifffile.imwrite("planes.tif", planes, photometric="rgb", planarconfig="separate")
tifffile.imwrite("pixels.tif", planes.transpose(1, 2, 0).copy(), photometric="rgb", planarconfig="contig")
print("high bytes of red", (planes[0] >> 8).tolist())
for name in ("pixels", "planes"):
    with PIL.Image.open(f"{name}.tif") as picture:
        print(name, picture.mode, picture.size, "red", np.array(picture)[..., 0].tolist())
print("bytes of the red plane", list(planes[0].tobytes()[:8]))
PYTHON
"$folder/env/bin/python" seen.py | tee seen
diff seen - <<'SEEN'
high bytes of red [[0, 3, 7, 11], [15, 19, 23, 27]]
pixels RGB (4, 2) red [[0, 3, 7, 11], [15, 19, 23, 27]]
planes RGB (4, 2) red [[0, 0, 232, 3], [208, 7, 184, 11]]
bytes of the red plane [0, 0, 232, 3, 208, 7, 184, 11]
SEEN
