"""Attacks of other libraries on a twin, on request.

All of them see one input in [0, 1] (sound and pictures side by side, or one of them), one budget, and a model of two classes
with logits [m, 0]: m is the deactivation margin, the largest height of a true label over its threshold, plus the distance that
our own attacks keep. An untargeted success on class 0 is then our goal, deactivation of all true labels.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from exchange import serve
from libraries import ATTACKS
from twin import build_twin


# Ends the name of an attack that also computes the gradients of all weights, as the libraries' own examples do: nothing there tells torch to leave them out.
WITH_WEIGHTS = " with weights"


class Margin(nn.Module):
    """[rows, 1, 1, size] in [0, 1] -> [rows, 2]."""

    def __init__(self, twin, clips, variables):
        super().__init__()
        self.twin, self.clips, self.variables = twin, clips, variables
        parts = [to_unit(name, clips[name]).flatten(1) for name in variables]
        self.clean = torch.cat(parts, 1)[:, None, None, :].contiguous()

    def rows_of(self, x):
        """Which clips these are: libraries drop those that they are done with."""
        if len(x) == len(self.clean):
            return slice(None)
        return torch.cdist(x.detach().flatten(1), self.clean.flatten(1)).argmin(1)

    def inputs_of(self, x, rows=slice(None)):
        inputs = {name: clip[rows] for name, clip in self.clips.items() if name in ("waveform", "frames")}
        flat, start = x.flatten(1), 0
        for name in self.variables:
            shape = inputs[name].shape
            size = inputs[name][0].numel()
            part = flat[:, start : start + size].reshape(shape)
            inputs[name] = 2 * part - 1 if name == "waveform" else part
            start += size
        return inputs

    def heights(self, inputs, rows):
        above = self.twin(inputs["waveform"], inputs["frames"]) - self.clips["thresholds"]
        truth = self.clips["targets"][rows] > 0
        margin = above.masked_fill(~truth, -torch.inf).amax(1) + self.clips["distance"]
        return torch.stack([margin, torch.zeros_like(margin)], 1)

    def forward(self, x):
        rows = self.rows_of(x)
        return self.heights(self.inputs_of(x, rows), rows)


def to_unit(name, values):
    return (values + 1) / 2 if name == "waveform" else values


class Peers:
    def __init__(self, folder, threads):
        torch.set_num_threads(threads)
        self.folder = folder
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = {name: np.load(folder / file) for name, file in manifest["arrays"].items()}
        prefix = "weights/"
        weights = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
        self.clips = {name: torch.from_numpy(array) for name, array in arrays.items() if not name.startswith(prefix)}
        self.twin = build_twin(manifest["spec"], weights, folded=True).eval()
        self.models = {}

    def logits(self):
        with torch.no_grad():
            found = self.twin(self.clips["waveform"], self.clips["frames"]).numpy()
        np.save(self.folder / "logits.npy", found)
        return {"file": "logits.npy"}

    def attack(self, name, variables, norm, epsilon, steps):
        key = tuple(variables)
        if key not in self.models:
            self.models[key] = Margin(self.twin, self.clips, variables).eval()
        model = self.models[key]
        labels = torch.zeros(len(model.clean), dtype=torch.long)
        torch.manual_seed(1)
        np.random.seed(1)
        self.twin.requires_grad_(name.endswith(WITH_WEIGHTS))
        attack = ATTACKS[name.removesuffix(WITH_WEIGHTS)]
        start, used = time.perf_counter(), time.process_time()
        adversarial = attack(model, model.clean, labels, norm, epsilon, steps)
        taken = {"seconds": time.perf_counter() - start, "processorSeconds": time.process_time() - used}
        files = {}
        for variable, values in model.inputs_of(torch.as_tensor(adversarial).detach()).items():
            if variable in variables:
                files[variable] = f"{variable}.npy"
                np.save(self.folder / files[variable], np.ascontiguousarray(values.numpy(), dtype=np.float32))
        return {**taken, "files": files}


if __name__ == "__main__":
    peers = Peers(Path(sys.argv[1]), int(sys.argv[2]))
    serve({"logits": peers.logits, "attack": peers.attack})
