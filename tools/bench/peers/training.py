"""Training steps of a twin, on request: the same batch, losses, clipping and AdamW as the project's own trainer."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from exchange import serve
from twin import build_twin

AUXILIARY_WEIGHT = 0.5


class Training:
    def __init__(self, folder, threads):
        torch.set_num_threads(threads)
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = {name: np.load(folder / file) for name, file in manifest["arrays"].items()}
        prefix = "weights/"
        weights = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
        self.inputs = [torch.from_numpy(arrays[name]) for name in ("waveform", "frames")]
        self.targets = torch.from_numpy(arrays["targets"])
        self.twin = build_twin(manifest["spec"], weights, folded=False)
        self.largest = manifest["optimiser"]["maxGradientNorm"]
        self.optimiser = adamw(self.twin, manifest["optimiser"])

    def step(self, learning_rate):
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad()
        main, *branches = self.twin(*self.inputs)
        loss = F.binary_cross_entropy_with_logits(main, self.targets)
        for branch in branches:
            loss = loss + AUXILIARY_WEIGHT * F.binary_cross_entropy_with_logits(branch, self.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.twin.parameters(), self.largest)
        self.optimiser.step()
        return {"loss": loss.item(), "gradientNorm": norm.item()}

    def run(self, steps, learningRate):
        start = time.perf_counter()
        reports = [self.step(learningRate) for _ in range(steps)]
        return {"seconds": time.perf_counter() - start, "reports": reports}


def adamw(twin, options):
    decays = [parameter for parameter in twin.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in twin.parameters() if parameter.ndim <= 1]
    groups = [{"params": decays, "weight_decay": options["weightDecay"]}, {"params": others, "weight_decay": 0}]
    betas = (options["beta1"], options["beta2"])
    return torch.optim.AdamW([g for g in groups if g["params"]], betas=betas, eps=options["epsilon"], fused=True)


if __name__ == "__main__":
    training = Training(Path(sys.argv[1]), int(sys.argv[2]))
    serve({"run": training.run})
