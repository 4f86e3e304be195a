//! The presets of the courses' notebooks, compared with what the notebooks state.

use thimble_data::{Amount, Function, HoldOut, ScalingMethod, Source};
use thimble_network::{Initializer, LayerSpec};
use thimble_train::train::{EpsilonPlacement, Monitor, OptimizerSettings, Schedule};

use super::{Preset, find};

/// Network and training as a notebook states them, as text.
struct Notebook {
    preset: &'static str,
    data: &'static str,
    validation: &'static str,
    /// Width and activation of each layer; `*` for an l2 penalty of 0.001, `d` and a rate for dropout
    /// behind the layer, a name in brackets.
    layers: &'static str,
    loss: &'static str,
    /// Optimizer, learning rate, batch size, epochs, `shuffled` or `in order`.
    training: &'static str,
    /// Patience of early stopping and of the plateau, which watch the validation loss.
    callbacks: Option<(usize, usize)>,
}

const MNIST: Notebook = Notebook {
    preset: "",
    data: "mnist",
    validation: "stratified 0.15",
    layers: "",
    loss: "categorical_cross_entropy",
    training: "",
    callbacks: None,
};

const SURFACE: Notebook = Notebook {
    preset: "",
    data: "",
    validation: "random 0.2",
    layers: "64 tanh, 64 tanh, 1 linear",
    loss: "mean_squared_error",
    training: "adam 0.001, 64, 200, shuffled",
    callbacks: Some((15, 10)),
};

const NOTEBOOKS: [Notebook; 15] = [
    Notebook {
        preset: "c-700-500",
        validation: "head 10000",
        layers: "700 relu, 500 relu, 10 linear",
        loss: "sparse_categorical_cross_entropy",
        training: "adam 0.001, 128, 10, in order",
        ..MNIST
    },
    Notebook {
        preset: "s-512",
        validation: "none",
        layers: "512 relu, 10 softmax",
        loss: "sparse_categorical_cross_entropy",
        training: "sgd 0.001, 128, 10, in order",
        ..MNIST
    },
    Notebook {
        preset: "u-spirals-6",
        data: "spirals 6 × 400, 6 classes, noise 0.3, screw 0.01, radius 2, gap 0.2",
        validation: "stratified 0.2",
        layers: "256 relu* d0.3, 256 relu* d0.3, 128 relu* d0.3, 128 relu* d0.2, 64 relu*, 32 relu, \
                 8 relu, 2 linear [bottleneck_2d], 6 softmax",
        loss: "categorical_cross_entropy",
        training: "adam 0.0005, 64, 200, shuffled",
        callbacks: Some((20, 10)),
    },
    Notebook {
        preset: "u-spirals-2",
        data: "spirals 8 × 400, 2 classes, noise 0.12, screw 0.01, radius 2, gap 0.1",
        validation: "stratified 0.2",
        layers: "128 relu* d0.3, 64 relu* d0.3, 32 relu* d0.2, 16 relu [features_16d], 1 sigmoid",
        loss: "binary_cross_entropy",
        training: "adam 0.0005, 64, 200, shuffled",
        callbacks: Some((20, 10)),
    },
    Notebook { preset: "u-eggcrate", data: "EggCrate 5000 in ±4, noise 0", ..SURFACE },
    Notebook { preset: "u-ripple", data: "Ripple 5000 in ±4, noise 0", ..SURFACE },
    Notebook {
        preset: "u-8",
        layers: "8 relu, 10 softmax",
        training: "adam 0.001, 32, 8, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "u-200-linear",
        layers: "200 linear, 10 softmax",
        training: "adam 0.001, 32, 30, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "u-200-tanh",
        layers: "200 tanh, 10 softmax",
        training: "adam 0.001, 32, 30, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "u-200-tanh-15",
        layers: "200 tanh, 10 softmax",
        training: "adam 0.001, 32, 15, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "u-100-200-100",
        layers: "100 relu, 200 relu, 100 relu, 10 softmax",
        training: "adam 0.001, 32, 50, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "u-200-500-200",
        layers: "200 relu, 500 tanh, 200 relu, 10 softmax",
        training: "adam 0.001, 32, 15, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "d-200-200",
        validation: "tail 10000",
        layers: "200 relu, 200 tanh, 10 softmax",
        loss: "sparse_categorical_cross_entropy",
        training: "adam 0.001, 100, 5, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "d-50-50",
        validation: "tail 10000",
        layers: "50 relu, 50 relu, 10 softmax",
        loss: "sparse_categorical_cross_entropy",
        training: "adam 0.001, 100, 5, shuffled",
        ..MNIST
    },
    Notebook {
        preset: "d-1024-sigmoid",
        validation: "tail 10000",
        layers: "1024 sigmoid, 1024 sigmoid, 10 softmax",
        loss: "sparse_categorical_cross_entropy",
        training: "adam 0.0006561, 200, 50, shuffled",
        ..MNIST
    },
];

fn data(preset: &Preset) -> String {
    match &preset.data.dataset {
        Source::Spirals(s) => format!(
            "spirals {} × {}, {} classes, noise {}, screw {}, radius {}, gap {}",
            s.arms, s.points_per_arm, s.classes, s.noise, s.screw, s.radius, s.gap
        ),
        Source::Surface(s) => {
            assert!(matches!(s.function, Function::EggCrate | Function::Ripple));
            format!("{:?} {} in ±{}, noise {}", s.function, s.points, s.radius, s.noise)
        }
        other => other.name().to_string(),
    }
}

fn split(rows: Option<HoldOut>) -> String {
    let amount = |amount: Amount| match amount {
        Amount::Count(count) => count.to_string(),
        Amount::Fraction(fraction) => fraction.to_string(),
    };
    match rows {
        None => "none".to_string(),
        Some(HoldOut::Head(rows)) => format!("head {}", amount(rows)),
        Some(HoldOut::Tail(rows)) => format!("tail {}", amount(rows)),
        Some(HoldOut::Random(rows)) => format!("random {}", amount(rows)),
        Some(HoldOut::Stratified(rows)) => format!("stratified {}", amount(rows)),
        Some(HoldOut::Recordings(rows)) => format!("recordings {}", amount(rows)),
        Some(HoldOut::Fold(fold)) => format!("fold {}/{}", fold.number(), fold.of()),
    }
}

fn layers(preset: &Preset) -> String {
    let mut text = String::new();
    for layer in preset.network.specs() {
        match layer {
            LayerSpec::Dense(dense) => {
                assert_eq!((dense.l1, dense.biases), (0.0, Initializer::Zeros));
                let penalty = match dense.l2 {
                    0.0 => "",
                    0.001 => "*",
                    other => panic!("{other}"),
                };
                let name = dense.name.map_or(String::new(), |name| format!(" [{name}]"));
                let comma = if text.is_empty() { "" } else { ", " };
                text +=
                    &format!("{comma}{} {}{penalty}{name}", dense.units, dense.activation.name());
            }
            LayerSpec::Dropout(rate) => text += &format!(" d{rate}"),
            other => panic!("{other:?}"),
        }
    }
    text
}

#[test]
fn presets_are_the_notebooks() {
    for notebook in NOTEBOOKS {
        let preset = find(notebook.preset).unwrap();
        let name = notebook.preset;
        assert_eq!(data(&preset), notebook.data, "{name}");
        assert_eq!(split(preset.data.validation), notebook.validation, "{name}");
        // Two splits, or the test rows of MNIST.
        assert_eq!(preset.data.test, None, "{name}");
        assert_eq!(preset.data.scaling(), ScalingMethod::None, "{name}");
        assert_eq!(preset.target_scaling(), ScalingMethod::None, "{name}");
        assert_eq!(layers(&preset), notebook.layers, "{name}");
        let training = &preset.training;
        assert_eq!(training.loss.name(), notebook.loss, "{name}");
        let order = if training.shuffle { "shuffled" } else { "in order" };
        let optimizer = &training.optimizer;
        let text = format!(
            "{} {}, {}, {}, {order}",
            optimizer.name(),
            optimizer.learning_rate(),
            training.batch_size,
            training.epochs
        );
        assert_eq!(text, notebook.training, "{name}");
        match *optimizer {
            OptimizerSettings::Adam(adam) => {
                assert_eq!((adam.beta_1, adam.beta_2, adam.epsilon), (0.9, 0.999, 1e-7));
                let own = if name == "c-700-500" {
                    EpsilonPlacement::Paper
                } else {
                    EpsilonPlacement::Keras
                };
                assert_eq!(adam.epsilon_placement, own, "{name}");
            }
            OptimizerSettings::Sgd(sgd) => assert_eq!((sgd.momentum, sgd.nesterov), (0.0, false)),
            ref other => panic!("{other:?}"),
        }
        assert_eq!((training.schedule, training.warm_up_epochs), (Schedule::Constant, 0.0));
        assert_eq!((training.label_smoothing, training.clip), (0.0, None));
        assert_eq!(training.augmentation, Default::default());
        let stopping = training.early_stopping.map(|stopping| {
            assert!(stopping.restore_best_weights);
            assert_eq!((stopping.monitor, stopping.min_delta), (Monitor::ValidationLoss, 0.0));
            stopping.patience
        });
        let plateau = training.reduce_lr_on_plateau.map(|plateau| {
            assert_eq!((plateau.factor, plateau.min_lr, plateau.min_delta), (0.5, 1e-7, 1e-4));
            assert_eq!(plateau.monitor, Monitor::ValidationLoss);
            plateau.patience
        });
        assert_eq!(stopping.zip(plateau), notebook.callbacks, "{name}");
    }
}

#[test]
fn what_is_special_is_there() {
    let c = find("c-700-500").unwrap();
    assert_eq!(c.seed, 22);
    let s = find("s-512").unwrap();
    assert_eq!(s.training.log_every, Some(100));
    for preset in [&c, &s] {
        let expected = match preset.name.as_str() {
            "s-512" => Initializer::Uniform(0.0, 0.1),
            _ => Initializer::XavierUniform,
        };
        let dense = preset.network.layers.iter().filter_map(|layer| layer.dense());
        assert!(dense.clone().count() > 0 && dense.clone().all(|d| d.weights == expected));
    }
    // Nothing else claims to be the network of C.
    for preset in super::EMBEDDED.map(|preset| find(preset.name).unwrap()) {
        let claims =
            preset.description.contains("notebook") || preset.description.contains("Notebook");
        let prefixed = ["c-", "s-", "u-", "d-"].iter().any(|start| preset.name.starts_with(start));
        assert_eq!(claims, prefixed, "{}", preset.name);
    }
}
