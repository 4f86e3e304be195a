//! The points of a grid, and how machines share them.

use std::num::NonZero;

use anyhow::bail;

/// A part of a sweep: the points whose number, modulo `count`, is `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    pub(super) index: usize,
    /// Parts that there are.
    pub(super) count: NonZero<usize>,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` must be I/N with I from 1 to N, such as 2/3");
        let (index, count) = text.split_once('/').ok_or_else(fail)?;
        let count: NonZero<usize> = count.parse().map_err(|_| fail())?;
        let index: usize = index.parse().map_err(|_| fail())?;
        match (1..=count.get()).contains(&index) {
            true => Ok(Shard { index: index - 1, count }),
            false => Err(fail()),
        }
    }
}

/// A point of the grid: `key=value` for each key.
pub(super) type Point = Vec<String>;

/// The points of a grid, the last key changing fastest. Each axis is `key=value,value,…`; a comma
/// inside brackets parts nothing.
pub(super) fn points(axes: &[String]) -> anyhow::Result<Vec<Point>> {
    let mut points: Vec<Point> = vec![Vec::new()];
    for axis in axes {
        let Some((key, values)) = axis.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("--grid {axis}: must be KEY=VALUE,VALUE,…");
        };
        let values = split_values(values);
        if values.iter().any(|value| value.is_empty()) {
            bail!("--grid {axis}: a value is missing");
        }
        let with = |point: &Point| {
            let point = point.clone();
            values.iter().map(move |value| [&point[..], &[format!("{key}={value}")]].concat())
        };
        points = points.iter().flat_map(with).collect();
    }
    Ok(points)
}

fn split_values(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut values) = (0, 0, Vec::new());
    for (index, character) in text.char_indices() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                values.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    values.push(text[start..].trim());
    values
}

/// The keys of the axes.
pub(super) fn keys(axes: &[String]) -> Vec<&str> {
    axes.iter().filter_map(|axis| Some(axis.split_once('=')?.0)).collect()
}

impl Shard {
    /// Whether the point of this number is one of the part.
    pub(super) fn has(self, number: usize) -> bool {
        number % self.count == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination() {
        let axes = ["a.b=1,2".to_string(), "c=[1, 2],x".to_string()];
        let expected =
            [["a.b=1", "c=[1, 2]"], ["a.b=1", "c=x"], ["a.b=2", "c=[1, 2]"], ["a.b=2", "c=x"]];
        assert_eq!(points(&axes).unwrap(), expected);
        assert!(points(&["a".to_string()]).is_err());
        assert!(points(&["a=1,".to_string()]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn shards_are_counted_from_one() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!((shard.index, shard.count.get()), (1, 3));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
