//! Preprocessing of images for a model.

use std::fmt;

use model_format::{Encoding, Model};

use super::PredictError;
use crate::data::{ColorMode, Preparation, PreparationError, Source};

/// Preprocessing of images for a model, with its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenPreparation {
    /// The preprocessing.
    pub preparation: Preparation,
    /// Its origin.
    pub origin: Origin,
}

/// Preprocessing options of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedPreparation {
    /// Preprocessing as text, with or without height and width, which default to those of the
    /// model's input.
    pub text: Option<String>,
    /// Resizing of the whole image: see [`Preparation::whole`].
    pub plain: bool,
}

/// Origin of a preprocessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user's options.
    Asked,
    /// The model file.
    Model,
    /// The preset of the run that made the model.
    Preset,
    /// Default for a model of ten digits.
    Digits,
    /// Default for any other model.
    Unknown,
}

impl Origin {
    /// Returns the name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Asked => "asked",
            Origin::Model => "model",
            Origin::Preset => "preset",
            Origin::Digits | Origin::Unknown => "guess",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Asked => "as requested",
            Origin::Model => "as the model was trained",
            Origin::Preset => "from the preset beside the model",
            Origin::Digits => "a guess for ten digits: --prepare sets it",
            Origin::Unknown => {
                "a guess, since the preprocessing of the training images is unknown; set it with \
                 --prepare"
            }
        })
    }
}

/// Finds the preprocessing of images for a model, in this order: the user's options, the model
/// file, the dataset of its run, a default for its input.
///
/// # Errors
/// [`PredictError`] when the model does not take images, or not of this preprocessing.
pub fn preparation(
    model: &Model<'_>,
    asked: &AskedPreparation,
    dataset: Option<&Source>,
) -> Result<ChosenPreparation, PredictError> {
    let name = || model.name().to_string();
    let malformed = |error| PredictError::Malformed { model: name(), error };
    let stored = stored(model).map_err(malformed)?;
    // Text with height and width does not depend on the model.
    let complete = asked.text.as_deref().and_then(|text| text.parse().ok());
    let plain = match complete.or(stored) {
        // A row of pixels may be an image if the user gives its size.
        Some(known) => Preparation { color_mode: known.color_mode, ..plain_of(known) },
        None => of_shape(model)?,
    };
    let levels = levels(model);
    let plain = Preparation { levels: stored.map_or(levels, |stored| stored.levels), ..plain };
    let of_dataset = dataset.and_then(|source| match source {
        Source::Images(images) => Some(images.preparation([plain.height, plain.width])),
        other => other.preparation(),
    });
    let (mut preparation, mut origin) = match (&asked.text, stored, of_dataset) {
        (Some(text), _, _) => {
            let asked = complete.map_or_else(|| with_size(text, plain), Ok);
            (asked.map_err(malformed)?, Origin::Asked)
        }
        (_, Some(stored), _) => (stored, Origin::Model),
        (_, _, Some(of_dataset)) => (of_dataset, Origin::Preset),
        _ if plain.color_mode == ColorMode::Grayscale && tells_digits(model) => {
            let mnist = Preparation::mnist(plain.height, plain.width);
            (Preparation { levels: plain.levels, ..mnist }, Origin::Digits)
        }
        _ => (plain, Origin::Unknown),
    };
    if asked.plain {
        (preparation, origin) = (preparation.whole(), Origin::Asked);
    }
    if preparation.len() != model.input_len() {
        let inputs = model.input_len();
        return Err(PredictError::Preparation { model: name(), inputs, preparation, origin });
    }
    Ok(ChosenPreparation { preparation, origin })
}

fn plain_of(known: Preparation) -> Preparation {
    Preparation { average: known.average, ..Preparation::plain(known.height, known.width) }
}

/// Returns the plain preprocessing for the shape of a model's input.
fn of_shape(model: &Model<'_>) -> Result<Preparation, PredictError> {
    let shape: Vec<u16> = model.input().shape.iter().copied().collect();
    let (height, width, color_mode) = match *shape.as_slice() {
        [height, width] | [height, width, 1] | [1, height, width] => {
            (height, width, ColorMode::Grayscale)
        }
        [height, width, 3] => (height, width, ColorMode::Rgb),
        _ => (1, 1, ColorMode::Grayscale),
    };
    // A row of numbers is not an image.
    if height < 2 || width < 2 {
        return Err(PredictError::Shape { model: model.name().to_string(), shape });
    }
    Ok(Preparation { color_mode, ..Preparation::plain(height.into(), width.into()) })
}

/// Parses a preprocessing without height and width.
fn with_size(text: &str, plain: Preparation) -> Result<Preparation, PreparationError> {
    let begins_with_size = text.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let color = if plain.color_mode == ColorMode::Rgb { "rgb" } else { "grayscale" };
    match begins_with_size {
        true => text.parse(),
        // Later words take precedence.
        false => {
            let Preparation { height, width, levels, .. } = plain;
            let average = plain.average.map(|[rows, columns]| format!("/{rows}x{columns}"));
            let average = average.unwrap_or_default();
            format!("{height}x{width}{average} {color} levels={levels} {text}").parse()
        }
    }
}

/// Returns the largest pixel value for a model that takes pixels as bytes.
fn levels(model: &Model<'_>) -> u8 {
    let input = model.input();
    match input.encoding {
        Encoding::Unsigned8 => (1.0 / input.quantization.scale).round().clamp(1.0, 255.0) as u8,
        _ => 255,
    }
}

/// Returns the preprocessing in a model file.
fn stored(model: &Model<'_>) -> Result<Option<Preparation>, PreparationError> {
    match model.details().preparation() {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

/// Returns whether the classes are the ten digits.
fn tells_digits(model: &Model<'_>) -> bool {
    let digits = (0..10).map(|digit: u8| digit.to_string());
    model.output().kind.labels().is_some_and(|labels| {
        labels.len() == 10 && labels.iter().zip(digits).all(|(label, digit)| label == digit)
    })
}

#[cfg(test)]
mod tests {
    use model_format::build::{
        DenseSpec, DetailsSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec,
    };
    use model_format::{Clamp, Multiplier, Quantization, WeightLayout};

    use super::*;
    use crate::data::Images;

    /// A model with this input shape and this preprocessing in its file.
    fn model(shape: &[usize], classes: usize, preparation: &str) -> Vec<u8> {
        let inputs = shape.iter().product();
        let layer = DenseSpec {
            inputs,
            outputs: classes,
            weights: vec![1; inputs * classes],
            biases: vec![0; classes],
            multipliers: vec![Multiplier::from_real(1e-4).unwrap(); classes],
            output: Quantization::int8(1.0, 0),
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        };
        let spec = ModelSpec {
            name: "seen".into(),
            input: InputSpec {
                shape: shape.to_vec(),
                quantization: Quantization::int8(1.0 / 255.0, -128),
                encoding: Encoding::Unsigned8,
            },
            output: OutputSpec::classes((0..classes).map(|class| class.to_string())),
            layers: vec![LayerSpec::Dense(layer)],
            self_tests: vec![],
            details: DetailsSpec { preparation: preparation.into(), ..Default::default() },
        };
        spec.to_bytes().unwrap()
    }

    fn choose(
        file: &[u8],
        text: Option<&str>,
        plain: bool,
        dataset: Option<&Source>,
    ) -> Result<(String, Origin), String> {
        let asked = AskedPreparation { text: text.map(String::from), plain };
        let model = Model::parse(file).unwrap();
        preparation(&model, &asked, dataset)
            .map(|chosen| (chosen.preparation.to_string(), chosen.origin))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_asked_for_comes_before_the_file_and_that_before_the_preset() {
        let in_file = "9x9 grayscale fit=pad invert=yes background=black";
        let file = model(&[9, 9], 2, in_file);
        let dataset = Source::Images(Images::default());
        let found = |text, plain| choose(&file, text, plain, Some(&dataset)).unwrap();
        assert_eq!(found(None, false), (in_file.to_string(), Origin::Model));
        let (whole, origin) = found(None, true);
        assert_eq!(whole, "9x9 grayscale fit=stretch invert=yes background=black");
        assert_eq!(origin, Origin::Asked);
        let (asked, _) = found(Some("fit=crop"), false);
        assert_eq!(asked, "9x9 grayscale fit=crop invert=no background=white");
        let bare = model(&[9, 9], 2, "");
        let plain = "9x9 grayscale fit=stretch invert=no background=white".to_string();
        let found = choose(&bare, None, false, Some(&dataset)).unwrap();
        assert_eq!(found, (plain.clone(), Origin::Preset));
        assert_eq!(choose(&bare, None, false, None).unwrap(), (plain, Origin::Unknown));
    }

    #[test]
    fn a_model_of_ten_digits_is_taken_for_one_of_mnist() {
        let (text, origin) = choose(&model(&[28, 28, 1], 10, ""), None, false, None).unwrap();
        assert_eq!(text, Preparation::mnist(28, 28).to_string());
        assert_eq!(origin, Origin::Digits);
        let (text, _) = choose(&model(&[28, 28], 10, ""), None, true, None).unwrap();
        assert_eq!(text, "28x28 grayscale fit=stretch invert=yes background=white");
    }

    #[test]
    fn averaged_images_stay_so_with_another_fit() {
        let file = model(&[16, 16], 10, "28x28/16x16 fit=mnist invert=auto");
        let found = |text, plain| choose(&file, text, plain, Some(&Source::Mnist)).unwrap();
        let (stored, origin) = found(None, false);
        assert_eq!((stored.as_str(), origin), ("28x28/16x16 fit=mnist invert=auto", Origin::Model));
        assert_eq!(found(None, true).0, "28x28/16x16 fit=stretch invert=yes");
        assert_eq!(found(Some("fit=pad"), false).0, "28x28/16x16 fit=pad invert=no");
        assert_eq!(
            found(Some("16x16"), false).0,
            "16x16 grayscale fit=stretch invert=no background=white"
        );
        let message = choose(&file, Some("28x28"), false, None).unwrap_err();
        assert!(message.contains("takes 256 values") && message.contains("have 784"), "{message}");
    }

    #[test]
    fn shapes_and_words_that_do_not_fit_are_refused() {
        let row = model(&[64], 2, "");
        let message = choose(&row, None, false, None).unwrap_err();
        assert!(message.contains("[64]") && message.contains("not that of an image"), "{message}");
        // The user gives the size.
        assert!(choose(&row, Some("8x8"), false, None).is_ok());
        let message = choose(&row, Some("9x9"), false, None).unwrap_err();
        assert!(message.contains("takes 64 values") && message.contains("have 81"), "{message}");
        let color = model(&[4, 4, 3], 2, "");
        let (text, _) = choose(&color, Some("fit=pad"), false, None).unwrap();
        assert_eq!(text, "4x4 rgb fit=pad invert=no background=white");
        let newer = model(&[9, 9], 2, "9x9 grayscale fit=stretch swirl=yes");
        let message = choose(&newer, None, false, None).unwrap_err();
        assert!(message.contains("`swirl=yes` is not known"), "{message}");
    }
}
