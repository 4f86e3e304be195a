//! Averaging of images to fewer pixels: `data.pool` and `data.resize`.

use thimble_data::{Dataset, Error, Loaded, image_shape};

use super::DataSettings;

/// A key and its problem.
type Wrong = (&'static str, String);

impl DataSettings {
    /// Returns the height and width to which images of this size are averaged, or `None` if they are
    /// used as they are.
    ///
    /// # Errors
    /// The key and the problem, for pooling that does not divide the image and for a size that is
    /// none.
    pub fn averaged_size(&self, [height, width]: [usize; 2]) -> Result<Option<[usize; 2]>, Wrong> {
        match (self.pool, self.resize) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(("data.pool", "data.resize sets the size already: leave one out".to_string()))
            }
            (Some(side), None) => {
                let divides = |of: usize| of.is_multiple_of(side);
                if divides(height) && divides(width) {
                    return Ok(Some([height / side, width / side]));
                }
                let common: Vec<String> = (2..=height.min(width))
                    .filter(|side| height.is_multiple_of(*side) && width.is_multiple_of(*side))
                    .map(|side| side.to_string())
                    .collect();
                let remedy = match common.is_empty() {
                    true => "set data.resize = [height, width] instead".to_string(),
                    false => {
                        format!(
                            "choose {}, or set data.resize = [height, width]",
                            common.join(", ")
                        )
                    }
                };
                let problem =
                    format!("squares of {side} pixels do not divide {height} × {width}: {remedy}");
                Err(("data.pool", problem))
            }
            (None, Some([rows, columns])) => {
                if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
                    return Ok(Some([rows, columns]));
                }
                let problem = format!(
                    "images of {height} × {width} cannot be averaged to {rows} × {columns}: choose \
                     a size from 1 × 1 to {height} × {width}"
                );
                Err(("data.resize", problem))
            }
        }
    }

    /// Averages the images of a dataset, if the settings have it.
    ///
    /// # Errors
    /// [`Error::Dataset`] for rows that are not images and for sizes that do not fit.
    pub(super) fn average(&self, loaded: &mut Loaded) -> Result<(), Error> {
        if self.pool.is_none() && self.resize.is_none() {
            return Ok(());
        }
        let average = |dataset: Dataset| {
            let name = dataset.name().to_string();
            let fail = |problem| Error::Dataset { dataset: name.clone(), problem };
            let Some([height, width, _]) = image_shape(dataset.shape()) else {
                let problem = "its rows are not images: leave data.pool and data.resize out";
                return Err(fail(problem.to_string()));
            };
            let size = self.averaged_size([height, width]);
            match size.map_err(|(key, problem)| fail(format!("{key}: {problem}")))? {
                Some(size) => dataset.averaged(size),
                None => Ok(dataset),
            }
        };
        loaded.train = average(loaded.train.clone())?;
        loaded.test = loaded.test.take().map(average).transpose()?;
        loaded.validation = loaded.validation.take().map(average).transpose()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Preset;

    const TEXT: &str = r#"
        name = "x"
        [data]
        dataset = "mnist"
        validation = { head = { count = 10 } }
        KEY
        [network]
        layers = [{ dense = { units = 10 } }]
        [training]
        epochs = 1
        batch_size = 10
        optimizer = { adam = {} }
    "#;

    #[test]
    fn sizes_by_hand_and_those_that_do_not_fit() {
        let read = |key: &str| Preset::read(&TEXT.replace("KEY", key), "x");
        let size = |key: &str| read(key).unwrap().data.averaged_size([28, 28]).unwrap();
        assert_eq!(size(""), None);
        assert_eq!(size("pool = 2"), Some([14, 14]));
        assert_eq!(size("resize = [16, 20]"), Some([16, 20]));
        for (key, expected) in [
            (
                "pool = 3",
                "data.pool: squares of 3 pixels do not divide 28 × 28: choose 2, 4, 7, 14, 28",
            ),
            ("pool = 0", "must be at least 1"),
            ("resize = [29, 16]", "data.resize: images of 28 × 28 cannot be averaged to 29 × 16"),
            ("resize = [0, 16]", "averaged to 0 × 16"),
            ("pool = 2\nresize = [14, 14]", "data.pool: data.resize sets the size already"),
        ] {
            let message = read(key).unwrap_err().to_string();
            assert!(message.contains(expected), "{key}: {message}");
        }
        let spirals = "{ spirals = { arms = 2, points_per_arm = 50, classes = 10 } }";
        let text = TEXT.replace("\"mnist\"", spirals).replace("KEY", "pool = 2");
        let message = Preset::read(&text, "x").unwrap_err().to_string();
        assert!(message.contains("data.pool: spirals has no images"), "{message}");
    }
}
