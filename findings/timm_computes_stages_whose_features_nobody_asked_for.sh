#!/usr/bin/env bash
# timm 1.0.31: an EfficientNet that is asked for its first features alone still has, and computes, all later stages.
#
# `create_model(name, features_only=True, out_indices=(0, 1, 2))` returns three features of seven stages. A ResNet ends
# where its last wanted feature is (its other layers are not even there); an EfficientNet keeps every stage, runs it on
# each picture, and throws away what it gives. What builds on it, such as a U-Net whose encoder has a depth of 3, takes
# the time of the whole body. The stages after the last wanted one can be deleted: the features stay the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install torch==2.14.1 torchvision==0.29.1 timm==1.0.31
cat >"$folder/ask.py" <<'PYTHON'
import timm
import torch

torch.manual_seed(0)
picture = torch.rand(1, 3, 64, 64)


def asked(name, **kwargs):
    return timm.create_model(name, features_only=True, pretrained=False, **kwargs).eval()


light = asked("efficientnet_lite0", out_indices=(0, 1, 2))
ran = []
for number, stage in enumerate(light.blocks, 1):
    stage.register_forward_hook(lambda _module, _given, _found, number=number: ran.append(number))
before = light(picture)
print("efficientnet_lite0:", len(before), "features, stages that ran:", *ran)
del light.blocks[3:]
same = all(torch.equal(one, other) for one, other in zip(before, light(picture), strict=True))
print("without the last four stages the features are the same:", same)
resnet = asked("resnet18", out_indices=(0, 1))
print("resnet18 has layers 3 and 4:", any(name.startswith(("layer3", "layer4")) for name, _ in resnet.named_modules()))
PYTHON
"$folder/env/bin/python" "$folder/ask.py" | tee "$folder/out"
diff "$folder/out" - <<'SAID'
efficientnet_lite0: 3 features, stages that ran: 1 2 3 4 5 6 7
without the last four stages the features are the same: True
resnet18 has layers 3 and 4: False
SAID
