//! Positions of the rows in the plane.

use thimble_projection::{ChosenLayer, Components, UmapSettings, principal_components, umap};

use super::rows::SplitRows;
use crate::report::{Axes, ScatterPlot, grouped, percent};

/// Maximum number of points in a scatter plot; more would overlap.
const POINTS: usize = 3000;

/// Maximum number of rows for UMAP, whose time grows with their square.
const UMAP_ROWS: usize = 10_000;

/// Number of neighbors in UMAP, as in umap-learn.
const NEIGHBORS: usize = 15;

/// Settings of UMAP from the command line.
#[derive(Clone, Copy, Debug)]
pub struct UmapChoice {
    /// Number of neighbors, if it is given.
    pub neighbors: Option<usize>,
    /// Minimum distance of points.
    pub min_distance: f32,
    /// Random seed.
    pub seed: u64,
}

/// Positions of rows in the plane.
#[derive(Clone, Debug)]
pub struct Map {
    /// Title.
    pub title: String,
    /// End of its file names.
    pub suffix: &'static str,
    /// Names of both coordinates in a table, unless they are the outputs themselves.
    pub columns: Option<[&'static str; 2]>,
    /// Titles of the axes.
    pub titles: [String; 2],
    /// Meaning of the positions.
    pub explanation: String,
    /// Relation of the axes.
    pub axes: Axes,
    /// Rows of the plot: every row, or every n-th.
    pub every: usize,
    /// Position of each of these rows.
    pub points: Vec<(f64, f64)>,
    /// Share of the variance that two principal components explain.
    pub explained: Option<(f64, f64)>,
}

impl Map {
    /// Returns a sentence for the terminal.
    pub fn note(&self) -> Option<String> {
        let explained = |(first, second): (f64, f64)| {
            let share = percent(first + second);
            format!("two principal components explain {share} of the variance")
        };
        let part = (self.every > 1).then(|| {
            format!(
                "{}: {} rows, one of {}",
                self.title,
                grouped(self.points.len() as u64),
                self.every
            )
        });
        self.explained.map(explained).or(part)
    }

    /// Returns position and class of the rows in the scatter plot.
    pub fn shown(&self, rows: &SplitRows<'_>) -> Vec<(f64, f64, usize)> {
        let classes = rows.classes().into_iter().step_by(self.every);
        let points = self.points.iter().zip(classes).map(|(&(x, y), class)| (x, y, class));
        points.step_by(self.points.len().div_ceil(POINTS).max(1)).collect()
    }

    /// Returns the scatter plot.
    pub fn scatter<'a>(
        &'a self,
        points: &'a [(f64, f64, usize)],
        classes: &'a [String],
    ) -> ScatterPlot<'a> {
        let [x, y] = &self.titles;
        ScatterPlot {
            title: &self.title,
            titles: (x, y),
            points,
            classes,
            only: None,
            axes: self.axes,
        }
    }
}

/// Returns the maps of a layer: of two outputs the outputs themselves, beside the data if that has
/// two features, else both projections.
///
/// # Errors
/// Too few rows for the given number of neighbors.
pub fn maps(
    layer: &ChosenLayer,
    rows: &SplitRows<'_>,
    outputs: &[f32],
    choice: UmapChoice,
) -> anyhow::Result<Vec<Map>> {
    match layer.width {
        2 => Ok(data(rows).into_iter().chain([as_they_are(outputs)]).collect()),
        width => projected(outputs, width, choice),
    }
}

fn data(rows: &SplitRows<'_>) -> Option<Map> {
    let points = rows.two_inputs()?;
    let labels = rows.splits.first()?.1.dataset().feature_labels();
    let titles = std::array::from_fn(|axis| match labels.get(axis) {
        Some(label) if label.unit.is_empty() => label.name.clone(),
        Some(label) => format!("{} in {}", label.name, label.unit),
        None => ["x", "y"][axis].to_string(),
    });
    Some(Map {
        title: "Data".into(),
        suffix: "-data",
        columns: Some(["input_0", "input_1"]),
        titles,
        explanation: "The two features of each row.".into(),
        axes: Axes::EqualIfAlike,
        every: 1,
        points,
        explained: None,
    })
}

fn as_they_are(outputs: &[f32]) -> Map {
    let (pairs, _) = outputs.as_chunks::<2>();
    Map {
        title: "Outputs".into(),
        suffix: "",
        columns: None,
        titles: ["output 0".into(), "output 1".into()],
        explanation: "The two outputs of the layer as they are, in float. Classes that are \
                      separate here are easy to distinguish."
            .into(),
        axes: Axes::Equal,
        every: 1,
        points: pairs.iter().map(|&[x, y]| (x.into(), y.into())).collect(),
        explained: None,
    }
}

fn projected(outputs: &[f32], width: usize, choice: UmapChoice) -> anyhow::Result<Vec<Map>> {
    let Components { points, explained } = principal_components(outputs, width);
    let count = points.len();
    let every = count.div_ceil(UMAP_ROWS).max(1);
    let some: Vec<f32> =
        outputs.chunks_exact(width.max(1)).step_by(every).flatten().copied().collect();
    let start: Vec<(f64, f64)> = points.iter().copied().step_by(every).collect();
    let fewer = start.len().saturating_sub(1);
    let neighbors = choice.neighbors.unwrap_or(NEIGHBORS.min(fewer));
    let UmapChoice { min_distance, seed, .. } = choice;
    let components = Map {
        title: "Principal components".into(),
        suffix: "-pca",
        columns: Some(["pc1", "pc2"]),
        titles: [
            format!("first component, {} of the variance", percent(explained.0)),
            format!("second component, {}", percent(explained.1)),
        ],
        explanation: "The outputs on their two principal components, a linear projection that \
                      preserves distances best. Classes that are separate here are easy to \
                      distinguish."
            .into(),
        axes: Axes::Equal,
        every: 1,
        points,
        explained: Some(explained),
    };
    // Without a neighbor there is nothing to place.
    if neighbors == 0 {
        return Ok(vec![components]);
    }
    let placed = umap(&some, width, &start, UmapSettings { neighbors, min_distance, seed })?;
    let part = match every {
        1 => String::new(),
        _ => format!(" Of the rows, one of {every} is placed."),
    };
    let neighbor = Map {
        title: "UMAP".into(),
        suffix: "-umap",
        columns: Some(["umap1", "umap2"]),
        titles: ["UMAP 1".into(), "UMAP 2".into()],
        explanation: format!(
            "Placed so that rows with similar outputs are neighbors ({neighbors} neighbors, minimum \
             distance {min_distance}). The size of a group and its distance from others have \
             little meaning.{part}"
        ),
        axes: Axes::Independent,
        every,
        points: placed,
        explained: None,
    };
    Ok(vec![components, neighbor])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOICE: UmapChoice = UmapChoice { neighbors: None, min_distance: 0.1, seed: 1 };

    #[test]
    fn few_rows_have_fewer_neighbors_unless_they_are_asked_for() {
        let outputs: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let maps = projected(&outputs, 3, CHOICE).unwrap();
        assert!(maps[1].explanation.contains("(3 neighbors"), "{}", maps[1].explanation);
        assert_eq!(maps.iter().map(|map| map.points.len()).collect::<Vec<_>>(), [4, 4]);
        let choice = UmapChoice { neighbors: Some(4), ..CHOICE };
        let error = projected(&outputs, 3, choice).unwrap_err().to_string();
        assert!(error.contains("--neighbors 3"), "{error}");
        assert_eq!(projected(&outputs[..3], 3, CHOICE).unwrap().len(), 1);
    }

    #[test]
    fn two_outputs_are_not_rotated() {
        let map = as_they_are(&[1.0, -2.0, 3.0, 4.0]);
        assert_eq!((map.points, map.axes), (vec![(1.0, -2.0), (3.0, 4.0)], Axes::Equal));
    }
}
