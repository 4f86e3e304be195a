//! The text of a preparation in model files.

use std::fmt;
use std::str::FromStr;

use super::options::{Background, ColorMode, Fit, Invert};
use super::preparation::Preparation;

/// Error of parsing a preparation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "preparation of images `{text}`: {problem}. It is written as `28x28 grayscale fit=stretch \
     invert=no background=white`; a newer program may know others"
)]
pub struct PreparationError {
    text: String,
    problem: String,
}

impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Preparation { height, width, fit, .. } = self;
        let color = match self.color_mode {
            ColorMode::Grayscale => "grayscale",
            ColorMode::Rgb => "rgb",
        };
        let invert = match self.invert {
            Invert::No => "no",
            Invert::Yes => "yes",
            Invert::Auto => "auto",
        };
        let background = match self.background {
            Background::White => "white",
            Background::Black => "black",
        };
        let fit = fit.name();
        match self.average {
            None => write!(
                f,
                "{height}x{width} {color} fit={fit} invert={invert} background={background}"
            )?,
            // Without defaults, so that it is not longer.
            Some([rows, columns]) => {
                write!(f, "{height}x{width}/{rows}x{columns}")?;
                if self.color_mode == ColorMode::Rgb {
                    f.write_str(" rgb")?;
                }
                write!(f, " fit={fit} invert={invert}")?;
                if self.background == Background::Black {
                    f.write_str(" background=black")?;
                }
            }
        }
        match self.levels {
            255 => Ok(()),
            levels => write!(f, " levels={levels}"),
        }
    }
}

impl FromStr for Preparation {
    type Err = PreparationError;

    fn from_str(text: &str) -> Result<Self, PreparationError> {
        let fail = |problem: String| PreparationError { text: text.to_string(), problem };
        let mut words = text.split_whitespace();
        let sides = |word: &str| {
            let (height, width) = word.split_once('x')?;
            Some([height.parse::<u32>().ok()?, width.parse::<u32>().ok()?])
        };
        let first = words.next().unwrap_or_default();
        let (size, average) = match first.split_once('/') {
            Some((size, average)) => (sides(size), sides(average).map(Some)),
            None => (sides(first), Some(None)),
        };
        let (Some([height, width]), Some(average)) = (size, average) else {
            return Err(fail(
                "it must begin with height x width, such as 28x28, or 28x28/16x16 for images that \
                 are averaged"
                    .into(),
            ));
        };
        let mut preparation = Preparation { average, ..Preparation::plain(height, width) };
        let mut invert = None;
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("grayscale", "") => preparation.color_mode = ColorMode::Grayscale,
                ("rgb", "") => preparation.color_mode = ColorMode::Rgb,
                ("invert", "no") => invert = Some(Invert::No),
                ("invert", "yes") => invert = Some(Invert::Yes),
                ("invert", "auto") => invert = Some(Invert::Auto),
                ("background", "white") => preparation.background = Background::White,
                ("background", "black") => preparation.background = Background::Black,
                ("levels", levels) => match levels.parse() {
                    Ok(levels) if levels > 0 => preparation.levels = levels,
                    _ => return Err(fail("levels must be from 1 to 255".into())),
                },
                ("fit", name) => match Fit::ALL.into_iter().find(|fit| fit.name() == name) {
                    Some(fit) => preparation.fit = fit,
                    None => {
                        let known = Fit::ALL.map(Fit::name).join(", ");
                        return Err(fail(format!("there is no fit `{name}`, only {known}")));
                    }
                },
                _ => return Err(fail(format!("`{word}` is not known"))),
            }
        }
        preparation.invert = invert.unwrap_or(preparation.fit.default_invert());
        match preparation.problem() {
            None => Ok(preparation),
            Some(problem) => Err(fail(problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use model_format::limits::MAX_TEXT;

    use super::*;

    fn every() -> impl Iterator<Item = Preparation> {
        let colors = [ColorMode::Grayscale, ColorMode::Rgb];
        let inverts = [Invert::No, Invert::Yes, Invert::Auto];
        let backgrounds = [Background::White, Background::Black];
        let sizes = [(28, 28), (1, 8192), (8192, 1), (100, 80)];
        colors.into_iter().flat_map(move |color_mode| {
            Fit::ALL.into_iter().flat_map(move |fit| {
                inverts.into_iter().flat_map(move |invert| {
                    backgrounds.into_iter().flat_map(move |background| {
                        sizes.into_iter().map(move |(height, width)| Preparation {
                            height,
                            width,
                            color_mode,
                            fit,
                            invert,
                            background,
                            levels: 255,
                            average: None,
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn a_preparation_is_a_short_text_and_back() {
        for preparation in every().filter(|preparation| preparation.problem().is_none()) {
            let text = preparation.to_string();
            assert!(text.len() <= MAX_TEXT, "{text} has {} bytes", text.len());
            assert_eq!(text.parse::<Preparation>().unwrap(), preparation);
        }
        for whole in every().filter(|preparation| preparation.problem().is_none()) {
            let average = Some([whole.height.div_ceil(2), whole.width]);
            let preparation = Preparation { average, ..whole };
            let text = preparation.to_string();
            assert!(text.len() <= MAX_TEXT, "{text} has {} bytes", text.len());
            assert_eq!(text.parse::<Preparation>().unwrap(), preparation);
        }
        let averaged: Preparation = "28x28/16x20 fit=mnist invert=auto".parse().unwrap();
        assert_eq!((averaged.average, averaged.shape()), (Some([16, 20]), vec![16, 20]));
        assert_eq!("8x9".parse::<Preparation>().unwrap(), Preparation::plain(8, 9));
        let digits = Preparation::digits();
        let text = digits.to_string();
        assert!(text.len() <= MAX_TEXT && text.ends_with(" levels=16"), "{text}");
        assert_eq!(text.parse::<Preparation>().unwrap(), digits);
        assert_eq!("8x9 fit=mnist".parse::<Preparation>().unwrap(), Preparation::mnist(8, 9));
        for (text, expected) in [
            ("", "must begin with height x width"),
            ("28", "must begin with height x width"),
            ("28x28 sepia", "`sepia` is not known"),
            ("28x28 fit=mist", "only stretch, crop, pad, mnist, fashion_mnist"),
            ("28x28 rgb fit=mnist", "makes grayscale images"),
            ("0x5", "0 × 5 pixels"),
            ("28x28/16", "or 28x28/16x16 for images that are averaged"),
            ("28x28/29x16", "28 × 28 pixels cannot be averaged to 29 × 16"),
            ("28x28/0x16", "0 × 16 pixels"),
            ("4000x4000", "a model takes 1 to"),
        ] {
            let message = text.parse::<Preparation>().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
