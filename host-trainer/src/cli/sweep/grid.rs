//! Points of a grid.

use anyhow::bail;

/// A point of the grid: `key=value` for each key.
pub(super) type Point = Vec<String>;

/// Returns the points of a grid; the last key changes fastest. Each axis is `key=value,value,…`. A
/// comma inside brackets does not separate values.
pub(super) fn points(axes: &[String]) -> anyhow::Result<Vec<Point>> {
    let mut points: Vec<Point> = vec![Vec::new()];
    for axis in axes {
        let Some((key, values)) = axis.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("--grid {axis}: the form is KEY=VALUE,VALUE,…");
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

/// Returns the keys of the axes.
pub(super) fn keys(axes: &[String]) -> Vec<&str> {
    axes.iter().filter_map(|axis| Some(axis.split_once('=')?.0)).collect()
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
}
