"""Trains a network of dense layers with PyTorch and Keras, whichever are installed, and prints what
they needed as JSON: {"epochs": [[name, seconds of the best epoch, accuracy or mean absolute error on
the test rows], ...], "gemm": GFLOP/s of the best product of 4096 x 4096 matrices, or null}.

`host-trainer bench --python` runs it. The one argument says what to train, and in which folder the
rows are."""

import json
import os
import sys
import time

task = json.loads(sys.argv[1])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy

SIDE = 4096
categorical = "categorical" in task["loss"]
outputs = task["layers"][-1][0]
found = {"epochs": [], "gemm": None}


def part(name):
    def read(kind, dtype):
        return numpy.fromfile(os.path.join(task["folder"], f"{name}.{kind}"), dtype)

    inputs = read("inputs", numpy.float32).reshape(-1, task["inputs"])
    if not task["classes"]:
        return inputs, read("targets", numpy.float32).reshape(-1, outputs)
    classes = read("targets", numpy.int32).astype(numpy.int64)
    if categorical:
        return inputs, classes
    if outputs == 1:
        return inputs, classes.astype(numpy.float32).reshape(-1, 1)
    return inputs, numpy.eye(outputs, dtype=numpy.float32)[classes]


def result(answers, targets):
    """Accuracy, or the mean absolute error, of outputs before softmax or sigmoid."""
    if not task["classes"]:
        return float(numpy.abs(answers - targets).mean())
    if outputs == 1:
        return float(((answers > 0) == (targets > 0.5)).mean())
    classes = targets if categorical else targets.argmax(1)
    return float((answers.argmax(1) == classes).mean())


def train_torch():
    import torch

    torch.set_num_threads(task["threads"])
    kinds = {
        "relu": torch.nn.ReLU,
        "relu6": torch.nn.ReLU6,
        "tanh": torch.nn.Tanh,
        "sigmoid": torch.nn.Sigmoid,
    }
    layers, width = [], task["inputs"]
    for units, activation in task["layers"]:
        layers.append(torch.nn.Linear(width, units))
        if activation in kinds:
            layers.append(kinds[activation]())
        width = units
    network = torch.nn.Sequential(*layers)
    kind = torch.optim.SGD if task["optimizer"] == "sgd" else torch.optim.Adam
    optimizer = kind(network.parameters(), lr=task["learning_rate"])
    losses = {
        "binary_cross_entropy": torch.nn.BCEWithLogitsLoss,
        "mean_squared_error": torch.nn.MSELoss,
        "mean_absolute_error": torch.nn.L1Loss,
    }
    loss = losses.get(task["loss"], torch.nn.CrossEntropyLoss)()
    inputs, targets = (torch.from_numpy(values) for values in part("train"))
    seconds = []
    for _ in range(task["epochs"]):
        start = time.perf_counter()
        order = torch.randperm(len(inputs))
        for batch in order.split(task["batch_size"]):
            optimizer.zero_grad()
            loss(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    inputs, targets = part("test")
    with torch.no_grad():
        answers = network(torch.from_numpy(inputs)).numpy()
    square, best = torch.rand(SIDE, SIDE), float("inf")
    for _ in range(4):
        start = time.perf_counter()
        square @ square
        best = min(best, time.perf_counter() - start)
    found["gemm"] = 2.0 * SIDE**3 / best / 1e9
    return f"PyTorch {torch.__version__.split('+')[0]}", seconds, result(answers, targets)


def train_keras():
    import keras

    layers = [keras.Input((task["inputs"],))]
    layers += [keras.layers.Dense(units, activation=kind) for units, kind in task["layers"]]
    network = keras.Sequential(layers)
    kind = keras.optimizers.SGD if task["optimizer"] == "sgd" else keras.optimizers.Adam
    losses = {
        "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
        "mean_squared_error": keras.losses.MeanSquaredError(),
        "mean_absolute_error": keras.losses.MeanAbsoluteError(),
    }
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=kind(task["learning_rate"]), loss=losses.get(task["loss"], sparse))
    inputs, targets = part("train")
    seconds = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.start)

    network.fit(
        inputs,
        targets,
        batch_size=task["batch_size"],
        epochs=task["epochs"],
        verbose=0,
        callbacks=[Clock()],
    )
    inputs, targets = part("test")
    answers = network.predict(inputs, batch_size=1000, verbose=0)
    return f"Keras {keras.__version__}", seconds, result(answers, targets)


for train in (train_torch, train_keras):
    try:
        name, seconds, reached = train()
    except ImportError:
        continue
    found["epochs"].append([name, min(seconds), reached])
print(json.dumps(found))
