"""Trains a preset's network with PyTorch and Keras, whichever are installed, and prints what they
needed as JSON: {"epochs": [[name, seconds of the best epoch, accuracy or mean absolute error on the
test rows], ...], "gemm": GFLOP/s of the best product of 4096 x 4096 matrices, or null}.

`host-trainer bench --python` runs it. The one argument has the preset's layers and optimizer as the
preset writes them, and says in which folder the rows are. Layers begin as the preset says, and have
its dropout, penalties and batch normalisation."""

import json
import os
import sys
import time

task = json.loads(sys.argv[1])
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ[variable] = str(task["threads"])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy

SIDE = 4096
# The programs take turns, so that what else the machine does weighs on all alike.
TURNS = 2
cross_entropy = "cross_entropy" in task["loss"]
categorical = "categorical" in task["loss"]


def named(value):
    """The name of a setting, and what it says: `"relu"` or `{"leaky_relu": 0.1}`."""
    return (value, None) if isinstance(value, str) else next(iter(value.items()))


def without_head(layers):
    """Cross-entropies are computed from what comes before softmax or sigmoid."""
    kind, settings = named(layers[-1])
    heads = ("softmax", "sigmoid")
    if cross_entropy and kind == "activation" and settings in heads:
        return layers[:-1]
    if cross_entropy and kind == "dense" and settings["activation"] in heads:
        return layers[:-1] + [{"dense": settings | {"activation": "linear"}}]
    return layers


layers = without_head(task["layers"])
outputs = [settings["units"] for kind, settings in map(named, layers) if kind == "dense"][-1]


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
    """Accuracy, or the mean absolute error."""
    if not task["classes"] and not categorical:
        return float(numpy.abs(answers - targets).mean())
    if outputs == 1:
        return float(((answers > (0 if cross_entropy else 0.5)) == (targets > 0.5)).mean())
    classes = targets if targets.ndim == 1 else targets.argmax(1)
    return float((answers.argmax(1) == classes).mean())


def train_torch():
    import torch

    torch.set_num_threads(task["threads"])

    def fill(values, initializer):
        name, limits = named(initializer)
        init = torch.nn.init
        fills = {
            "xavier_uniform": init.xavier_uniform_,
            "xavier_normal": init.xavier_normal_,
            "he_uniform": lambda weights: init.kaiming_uniform_(weights, nonlinearity="relu"),
            "he_normal": lambda weights: init.kaiming_normal_(weights, nonlinearity="relu"),
            "uniform": lambda weights: init.uniform_(weights, *limits),
            "zeros": init.zeros_,
        }
        fills[name](values)

    def activation(setting):
        name, slope = named(setting)
        kinds = {
            "linear": torch.nn.Identity,
            "relu": torch.nn.ReLU,
            "relu6": torch.nn.ReLU6,
            "leaky_relu": lambda: torch.nn.LeakyReLU(slope),
            "tanh": torch.nn.Tanh,
            "sigmoid": torch.nn.Sigmoid,
            "softmax": lambda: torch.nn.Softmax(1),
        }
        return kinds[name]()

    name, numbers = named(task["optimizer"])
    # Every optimizer here but AdamW adds `weight_decay` times the weight to its gradient, which is
    # what a penalty on squares does, and costs less than a term of the loss.
    decays = name != "adamw"
    modules, width, groups, terms = [], task["inputs"], [], []
    for kind, settings in map(named, layers):
        if kind == "dense":
            layer = torch.nn.Linear(width, settings["units"])
            fill(layer.weight, settings["weights"])
            fill(layer.bias, settings["biases"])
            l1, l2, width = settings["l1"], settings["l2"], settings["units"]
            if l1 > 0 or (l2 > 0 and not decays):
                terms.append((layer.weight, l1, 0.0 if decays else l2))
            group = {"params": [layer.weight]}
            groups.append(group | {"weight_decay": 2 * l2} if l2 > 0 and decays else group)
            groups.append({"params": [layer.bias]})
            modules.append(layer)
            if settings["activation"] != "linear":
                modules.append(activation(settings["activation"]))
        elif kind == "activation":
            modules.append(activation(settings))
        elif kind == "dropout":
            modules.append(torch.nn.Dropout(settings["rate"]))
        else:
            momentum = 1 - settings["momentum"]
            modules.append(torch.nn.BatchNorm1d(width, settings["epsilon"], momentum))
            groups.append({"params": list(modules[-1].parameters())})
    network = torch.nn.Sequential(*modules)
    rate, epsilon = numbers["learning_rate"], numbers.get("epsilon")
    betas = (numbers.get("beta_1"), numbers.get("beta_2"))
    if all("weight_decay" not in group for group in groups):
        groups = network.parameters()
    optimizers = {
        "adam": lambda: torch.optim.Adam(groups, rate, betas, epsilon),
        "adamw": lambda: torch.optim.AdamW(groups, rate, betas, epsilon, numbers["weight_decay"]),
        "rmsprop": lambda: torch.optim.RMSprop(groups, rate, numbers["rho"], epsilon),
        "sgd": lambda: torch.optim.SGD(
            groups, rate, numbers["momentum"], nesterov=numbers["nesterov"]
        ),
    }
    optimizer = optimizers[name]()
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
            error = loss(network(inputs[batch]), targets[batch])
            for weights, l1, l2 in terms:
                error = error + l1 * weights.abs().sum() + l2 * weights.square().sum()
            error.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    network.eval()
    inputs, targets = part("test")
    with torch.no_grad():
        answers = network(torch.from_numpy(inputs)).numpy()
    if found["gemm"] is None:
        square, best = torch.rand(SIDE, SIDE), float("inf")
        for _ in range(4):
            start = time.perf_counter()
            square @ square
            best = min(best, time.perf_counter() - start)
        found["gemm"] = 2.0 * SIDE**3 / best / 1e9
    return f"PyTorch {torch.__version__.split('+')[0]}", min(seconds), result(answers, targets)


def train_keras():
    import keras

    def initializer(setting):
        name, limits = named(setting)
        kinds = {
            "xavier_uniform": keras.initializers.GlorotUniform,
            "xavier_normal": keras.initializers.GlorotNormal,
            "he_uniform": keras.initializers.HeUniform,
            "he_normal": keras.initializers.HeNormal,
            "uniform": lambda: keras.initializers.RandomUniform(*limits),
            "zeros": keras.initializers.Zeros,
        }
        return kinds[name]()

    def activation(setting):
        name, slope = named(setting)
        if name == "leaky_relu":
            return keras.layers.LeakyReLU(slope)
        return keras.layers.Activation(name)

    network = keras.Sequential([keras.Input((task["inputs"],))])
    for kind, settings in map(named, layers):
        if kind == "dense":
            l1, l2, function = settings["l1"], settings["l2"], settings["activation"]
            own = function if isinstance(function, str) else None
            layer = keras.layers.Dense(
                settings["units"],
                activation=own,
                kernel_initializer=initializer(settings["weights"]),
                bias_initializer=initializer(settings["biases"]),
                kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 + l2 > 0 else None,
            )
            network.add(layer)
            if own is None:
                network.add(activation(function))
        elif kind == "activation":
            network.add(activation(settings))
        elif kind == "dropout":
            network.add(keras.layers.Dropout(settings["rate"]))
        else:
            network.add(keras.layers.BatchNormalization(**settings))
    name, numbers = named(task["optimizer"])
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    losses = {
        "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
        "mean_squared_error": keras.losses.MeanSquaredError(),
        "mean_absolute_error": keras.losses.MeanAbsoluteError(),
    }
    if task["classes"]:
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=kinds[name](**numbers), loss=losses.get(task["loss"], entropy))
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
    return f"Keras {keras.__version__}", min(seconds), result(answers, targets)


found = {"epochs": [], "gemm": None}
best = {}
for _ in range(TURNS):
    for train in (train_torch, train_keras):
        try:
            name, seconds, reached = train()
        except ImportError:
            continue
        best[name] = (min(seconds, best.get(name, (seconds,))[0]), reached)
found["epochs"] = [[name, *values] for name, values in best.items()]
print(json.dumps(found))
