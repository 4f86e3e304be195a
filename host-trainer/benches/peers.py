"""Trains a network of dense layers with PyTorch and Keras, whichever are installed, on made-up
rows, and prints [[name, seconds of the median epoch], ...] as JSON. `host-trainer bench --python`
runs it; the one argument says what to train."""

import json
import os
import statistics
import sys
import time

task = json.loads(sys.argv[1])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
categorical = "categorical" in task["loss"]
classes = task["layers"][-1][0]
found = []


def rows(numpy):
    generator = numpy.random.default_rng(1)
    inputs = generator.random((task["rows"], task["inputs"]), dtype=numpy.float32)
    if categorical:
        return inputs, generator.integers(0, classes, task["rows"])
    return inputs, generator.integers(0, 2, (task["rows"], classes)).astype(numpy.float32)


def torch_epochs():
    import numpy
    import torch

    torch.set_num_threads(task["threads"])
    kinds = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
    layers, width = [], task["inputs"]
    for outputs, activation in task["layers"]:
        layers.append(torch.nn.Linear(width, outputs))
        if activation in kinds:
            layers.append(kinds[activation]())
        width = outputs
    network = torch.nn.Sequential(*layers)
    kind = torch.optim.SGD if task["optimizer"] == "sgd" else torch.optim.Adam
    optimizer = kind(network.parameters(), lr=task["learning_rate"])
    losses = {
        "binary_cross_entropy": torch.nn.BCEWithLogitsLoss,
        "mean_squared_error": torch.nn.MSELoss,
        "mean_absolute_error": torch.nn.L1Loss,
    }
    loss = losses.get(task["loss"], torch.nn.CrossEntropyLoss)()
    inputs, targets = (torch.from_numpy(part) for part in rows(numpy))
    seconds = []
    for _ in range(task["epochs"]):
        start = time.perf_counter()
        order = torch.randperm(len(inputs))
        for batch in order.split(task["batch_size"]):
            optimizer.zero_grad()
            loss(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return f"PyTorch {torch.__version__.split('+')[0]}", seconds


def keras_epochs():
    import keras
    import numpy

    layers = [keras.Input((task["inputs"],))]
    layers += [keras.layers.Dense(outputs, activation=kind) for outputs, kind in task["layers"]]
    network = keras.Sequential(layers)
    kind = keras.optimizers.SGD if task["optimizer"] == "sgd" else keras.optimizers.Adam
    losses = {
        "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
        "mean_squared_error": keras.losses.MeanSquaredError(),
        "mean_absolute_error": keras.losses.MeanAbsoluteError(),
    }
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = losses.get(task["loss"], sparse)
    network.compile(optimizer=kind(task["learning_rate"]), loss=loss)
    inputs, targets = rows(numpy)
    seconds = []
    for _ in range(task["epochs"]):
        start = time.perf_counter()
        network.fit(inputs, targets, batch_size=task["batch_size"], epochs=1, verbose=0)
        seconds.append(time.perf_counter() - start)
    return f"Keras {keras.__version__}", seconds


for epochs in (torch_epochs, keras_epochs):
    try:
        name, seconds = epochs()
    except ImportError:
        continue
    found.append([name, statistics.median(seconds)])
print(json.dumps(found))
