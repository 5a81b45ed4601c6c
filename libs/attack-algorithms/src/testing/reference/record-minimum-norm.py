"""Records trajectories of reference minimum-norm attacks on a small fixed network: minimum-norm.json beside this file.

The attacks are those of adv-lib 0.2.8 (github.com/jeromerony/adversarial-library, BSD-3-Clause), run with PyTorch on the CPU in float32. Not needed by
any test; to record anew:

    python -m venv venv && venv/bin/pip install torch torchvision adv-lib==0.2.8
    venv/bin/python record-minimum-norm.py

The network has one output f, tanh in between, and reads 24 pixels in [0, 1]. The attacks want two classes: they see the logits [f, 0] and leave class 0,
which is what deactivating a label with threshold 0 means. Each evaluated point gives a pair: norm of the perturbation, and f.
"""

import json
import math
from pathlib import Path

import torch
from adv_lib.attacks import ddn, fmn

PIXELS, HIDDEN, CLIPS, STEPS = 24, 16, 3, 40
NORMS = {"l0": 0, "l1": 1, "l2": 2, "linf": math.inf}

torch.manual_seed(7)
first = torch.randn(PIXELS, HIDDEN) * 0.4
second = torch.randn(HIDDEN, 1) * 0.6
inputs = torch.rand(CLIPS, PIXELS)
heights = (torch.tanh((inputs - 0.5) @ first) @ second)[:, 0]
inputs = torch.where((heights < 0)[:, None], 1 - inputs, inputs)


def record(attack, p, **options):
    path = []

    def model(x):
        f = torch.tanh((x - 0.5) @ first) @ second + 0.3
        sizes = (x - inputs).detach().norm(p=p, dim=1)
        path.append([[size.item(), value.item()] for size, value in zip(sizes, f[:, 0].detach())])
        return torch.cat([f, torch.zeros_like(f)], dim=1)

    labels = torch.zeros(CLIPS, dtype=torch.long)
    best = attack(model, inputs, labels, **options)
    return {"path": path[:STEPS], "best": [size.item() for size in (best - inputs).norm(p=p, dim=1)]}


rows = {
    f"fmn {name}": record(fmn, norm, norm=norm, steps=STEPS) for name, norm in NORMS.items()
}
rows["ddn l2"] = record(ddn, 2, steps=STEPS, levels=None)
Path(__file__).with_name("minimum-norm.json").write_text(
    json.dumps(
        {
            "origin": "adv-lib 0.2.8, PyTorch " + torch.__version__.split("+")[0] + ", CPU, float32; see record-minimum-norm.py",
            "steps": STEPS,
            "inputs": inputs.flatten().tolist(),
            "first": first.flatten().tolist(),
            "second": second.flatten().tolist(),
            "centre": 0.5,
            "bias": 0.3,
            "attacks": rows,
        }
    )
    + "\n"
)
