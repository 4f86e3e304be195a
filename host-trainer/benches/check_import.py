#!/usr/bin/env python3
"""Compares the float outputs of a Keras or ONNX model with those of its import.

    host-trainer/benches/check_import.py MODEL ROWS.csv [option of `import` ...]

ROWS.csv has a header and one column per input. Needs numpy, and keras (with a backend) or onnxruntime.
Prints the largest difference, relative to the largest output, and ends with 1 if it exceeds 1e-5, or 5e-3
for a model that computes in half precision.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def framework(model: str, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the outputs of the framework, and the difference to be expected of its number type."""
    if model.endswith((".keras", ".h5")):
        import keras

        network = keras.models.load_model(model, compile=False)
        shape = tuple(size or 1 for size in network.input_shape[1:])
        is_half = any("16" in layer.compute_dtype for layer in network.layers)
        outputs = network.predict(rows.reshape((-1,) + shape), verbose=0)
        return np.asarray(outputs, dtype=np.float32), 5e-3 if is_half else 1e-5
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    first = session.get_inputs()[0]
    shape = tuple(size if isinstance(size, int) else 1 for size in first.shape[1:])
    numbers = {"tensor(double)": np.float64, "tensor(float16)": np.float16}
    number = numbers.get(first.type, np.float32)
    batch = first.shape[0] if isinstance(first.shape[0], int) else len(rows)
    parts = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    parts = [part.reshape((-1,) + shape).astype(number) for part in parts]
    outputs = [session.run(None, {first.name: part})[-1] for part in parts]
    if isinstance(outputs[0], list):
        outputs = [row for part in outputs for row in part]
    else:
        outputs = np.concatenate([np.asarray(part).reshape(len(parts[0]), -1) for part in outputs])
    if isinstance(outputs, list):  # a map of classes per row
        outputs = [[row[label] for label in row] for row in outputs]
    return np.asarray(outputs, dtype=np.float32), 5e-3 if number == np.float16 else 1e-5


def thimble(model: str, rows: Path, options: list[str]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = ["cargo", "thimble"]
        subprocess.run(command + ["import", model, "-o", str(run), "--quiet"] + options, check=True)
        if not (run / "preset.toml").exists():
            sys.exit(f"{model}: it is quantized already, and has no float outputs to compare")
        out = Path(folder) / "out.csv"
        subprocess.run(command + ["predict", str(run), str(rows), "-o", str(out)], check=True)
        with open(out, newline="") as file:
            table = list(csv.reader(file))
    columns = [at for at, name in enumerate(table[0]) if name.startswith("float ")]
    return np.asarray([[float(row[at]) for at in columns] for row in table[1:]], dtype=np.float32)


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    model, path = sys.argv[1], Path(sys.argv[2])
    rows = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32, ndmin=2)
    expected, most = framework(model, rows)
    expected = expected.reshape(len(rows), -1)
    if expected.shape[1] > 1 and np.allclose(np.exp(expected).sum(axis=1), 1):  # a log-softmax
        expected = np.exp(expected)
    found = thimble(model, path, sys.argv[3:])
    if expected.shape[1] == 1 and found.shape[1] == 2:  # one probability stands for two
        found = found[:, 1:]
    if expected.shape != found.shape:
        print(f"{expected.shape} outputs of the framework, {found.shape} of the import")
        return 1
    difference = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    print(f"largest difference, relative to the largest output: {difference:.2e}")
    return int(difference > most)


if __name__ == "__main__":
    sys.exit(main())
