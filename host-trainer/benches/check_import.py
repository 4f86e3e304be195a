#!/usr/bin/env python3
"""Compares the float outputs of a Keras or ONNX model with those of its import.

    host-trainer/benches/check_import.py MODEL ROWS.csv [option of `import` ...]

ROWS.csv has a header and one column per input. Needs numpy, and keras (with a backend) or onnxruntime.
Prints the largest difference, relative to the largest output, and ends with 1 if it exceeds 1e-5.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def framework(model: str, rows: np.ndarray) -> np.ndarray:
    if model.endswith((".keras", ".h5")):
        import keras

        network = keras.models.load_model(model, compile=False)
        shape = tuple(size or 1 for size in network.input_shape[1:])
        return np.asarray(network.predict(rows.reshape((-1,) + shape), verbose=0))
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    outputs = session.run(None, {name: rows})[-1]
    if isinstance(outputs, list):  # a map of classes per row
        outputs = [[row[label] for label in row] for row in outputs]
    return np.asarray(outputs, dtype=np.float32)


def thimble(model: str, rows: Path, options: list[str]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = ["cargo", "thimble"]
        subprocess.run(
            command + ["import", model, "--calibrate", str(rows), "-o", str(run), "--quiet"] + options,
            check=True,
        )
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
    expected = framework(model, rows).reshape(len(rows), -1)
    found = thimble(model, path, sys.argv[3:])
    if expected.shape[1] == 1 and found.shape[1] == 2:  # one probability stands for two
        found = found[:, 1:]
    if expected.shape != found.shape:
        print(f"{expected.shape} outputs of the framework, {found.shape} of the import")
        return 1
    difference = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    print(f"largest difference, relative to the largest output: {difference:.2e}")
    return int(difference > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
