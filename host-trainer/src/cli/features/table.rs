//! Table of a layer's outputs.

use thimble_projection::ChosenLayer;

use super::maps::Map;
use super::rows::SplitRows;
use crate::foreign_text::spreadsheet_cell;

/// CSV table with one line per row: split, row of the dataset, class, position in the plot, outputs.
pub fn table(
    rows: &SplitRows<'_>,
    layer: &ChosenLayer,
    outputs: &[f32],
    map: &Map,
) -> anyhow::Result<Vec<u8>> {
    let names = rows.class_names();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut cells: Vec<String> = ["split", "row", "class"].map(String::from).to_vec();
    cells.extend(map.columns.into_iter().flatten().map(String::from));
    cells.extend((0..layer.width).map(|index| format!("output_{index}")));
    csv.write_record(&cells)?;
    let values = outputs.chunks_exact(layer.width.max(1));
    let lines = rows.iter().zip(values).step_by(map.every).zip(&map.points);
    for (((split, subset, position), values), (x, y)) in lines {
        let class = subset.class(position).map(usize::from);
        let class = class.and_then(|class| names.get(class)).map_or("", String::as_str);
        let row = subset.rows().get(position).map_or(String::new(), u32::to_string);
        cells.clear();
        let class = spreadsheet_cell(class).into_owned();
        cells.extend([split.to_string(), row, class]);
        if map.columns.is_some() {
            cells.extend([format!("{x:.6}"), format!("{y:.6}")]);
        }
        cells.extend(values.iter().map(f32::to_string));
        csv.write_record(&cells)?;
    }
    Ok(csv.into_inner()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::data::{Dataset, Features, Labels, Subset};
    use crate::network::{Activation, DenseSpec, LayerSpec, Network};
    use crate::report::Axes;

    /// Lines of the table of three rows with one output each.
    fn lines(columns: Option<[&'static str; 2]>, every: usize) -> Vec<String> {
        let names = ["a", "a,b", "a\"b"].map(String::from).to_vec();
        let labels = Labels { indices: vec![0, 1, 2], names };
        let features = Features::Reals(Array2::zeros((3, 1)));
        let subset = Subset::all(Arc::new(Dataset::new("d", vec![1], features, labels).unwrap()));
        let dense = LayerSpec::Dense(DenseSpec::new(1, Activation::Linear));
        let network = Network::<f32>::new(1, &[dense], 1).unwrap();
        let layer = ChosenLayer::find(&network, "0").unwrap();
        let rows = SplitRows { splits: vec![("training", &subset)] };
        let map = Map {
            title: String::new(),
            suffix: "",
            columns,
            titles: [String::new(), String::new()],
            explanation: String::new(),
            axes: Axes::Equal,
            every,
            points: vec![(0.0, 1.0); 3_usize.div_ceil(every)],
            explained: None,
        };
        let csv = table(&rows, &layer, &[0.5; 3], &map).unwrap();
        String::from_utf8(csv).unwrap().lines().map(String::from).collect()
    }

    #[test]
    fn a_name_with_a_comma_stays_one_cell() {
        let lines = lines(Some(["pc1", "pc2"]), 1);
        assert_eq!(lines[0], "split,row,class,pc1,pc2,output_0");
        let classes = ["a", "\"a,b\"", "\"a\"\"b\""];
        for (row, (line, class)) in lines[1..].iter().zip(classes).enumerate() {
            assert_eq!(*line, format!("training,{row},{class},0.000000,1.000000,0.5"));
        }
    }

    #[test]
    fn rows_that_are_not_placed_are_left_out() {
        let lines = lines(None, 2);
        assert_eq!(lines[0], "split,row,class,output_0");
        assert_eq!(lines[1..], ["training,0,a,0.5", "training,2,\"a\"\"b\",0.5"]);
    }
}
