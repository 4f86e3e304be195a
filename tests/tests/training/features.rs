//! `features`: the outputs of a layer as tables and pictures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::empty_dir;

/// Class of each row, and its place in the plane.
fn rows(csv: &str) -> Vec<(String, f64, f64)> {
    let row = |line: &str| {
        let mut cells = line.split(',').skip(2);
        let class = cells.next().unwrap().to_string();
        let mut number = || cells.next().unwrap().parse().unwrap();
        (class, number(), number())
    };
    csv.lines().skip(1).map(row).collect()
}

/// Number of rows whose nearest row in the plane is of the same class.
fn beside_their_class(csv: &str) -> usize {
    let rows = rows(csv);
    let distance = |a: usize, b: usize| (rows[a].1 - rows[b].1).hypot(rows[a].2 - rows[b].2);
    let nearest = |row: usize| {
        let others = (0..rows.len()).filter(move |&other| other != row);
        others.min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b))).unwrap()
    };
    (0..rows.len()).filter(|&row| rows[nearest(row)].0 == rows[row].0).count()
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn many_outputs_are_shown_by_components_and_by_neighbors() {
    let folder = empty_dir("features");
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    run(&["train", "digits", "--quiet", "--output", "run"]);
    run(&["features", "run", "0", "--rows", "test", "--quiet"]);
    let (pca, umap) =
        (read(&folder, "run/features-0-pca.csv"), read(&folder, "run/features-0-umap.csv"));
    assert!(pca.starts_with("split,row,class,pc1,pc2,output_0,"));
    assert!(umap.starts_with("split,row,class,umap1,umap2,output_0,"));
    assert_eq!(pca.lines().next().unwrap().split(',').count(), 5 + 32);
    assert!(beside_their_class(&umap) > beside_their_class(&pca), "UMAP shows less than PCA");
    let page = read(&folder, "run/features-0.html");
    for words in ["15 neighbors", "features-0-umap.svg", "features-0-pca.csv", "test rows"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(read(&folder, "run/features-0-umap.svg").contains("UMAP 1"));
    run(&["features", "run", "0", "--rows", "test", "--quiet"]);
    assert!(umap == read(&folder, "run/features-0-umap.csv"), "another picture of the same run");
    run(&["features", "run", "0", "--rows", "test", "--quiet", "--neighbors", "5"]);
    assert!(umap != read(&folder, "run/features-0-umap.csv"), "--neighbors changes nothing");

    // Training rows are the default.
    run(&["features", "run", "0", "--quiet"]);
    let training = read(&folder, "run/features-0-pca.csv");
    assert!(training.lines().skip(1).all(|line| line.starts_with("training,")));
    run(&["features", "run", "0", "--quiet", "--rows", "all"]);
    let all = read(&folder, "run/features-0-pca.csv");
    let split = |line: &str| line.split(',').next().unwrap().to_string();
    let splits: BTreeSet<String> = all.lines().skip(1).map(split).collect();
    assert_eq!(splits, ["test", "training"].map(String::from).into());
    // Each table has a header.
    assert_eq!(all.lines().count() + 1, training.lines().count() + pca.lines().count());

    let refused = |arguments: &[&str], named: &[&str]| {
        Finished::of(&mut host_trainer(&folder, arguments)).refused(1, named);
    };
    let arguments = ["features", "run", "0", "--rows", "test", "--neighbors", "2000"];
    refused(&arguments, &["2000 neighbors", "--neighbors 358"]);
    refused(&["features", "run", "7"], &["no layer `7`", "0, 1"]);
}

#[test]
fn two_outputs_are_shown_as_they_are_beside_the_data() {
    let folder = empty_dir("features-two");
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    run(&["train", "u-spirals-6", "--set", "training.epochs=1", "--quiet", "--output", "run"]);
    // The report's number of the layer, and its name.
    let report = read(&folder, "run/report.html");
    assert!(report.contains("7 · bottleneck_2d 8 → 2"), "the report counts layers otherwise");
    run(&["features", "run", "bottleneck_2d", "--quiet"]);
    let csv = read(&folder, "run/features-bottleneck_2d.csv");
    assert!(csv.starts_with("split,row,class,output_0,output_1\n"));
    assert_eq!(csv.lines().count(), 1 + 1920);
    let data = read(&folder, "run/features-bottleneck_2d-data.csv");
    assert!(data.starts_with("split,row,class,input_0,input_1,output_0,output_1\n"));
    let page = read(&folder, "run/features-bottleneck_2d.html");
    assert!(page.contains("outputs of layer 7 (bottleneck_2d)") && !page.contains("UMAP"));
    run(&["features", "run", "7", "--quiet"]);
    assert!(csv == read(&folder, "run/features-7.csv"), "number and name are of two layers");
    Finished::of(&mut host_trainer(&folder, ["features", "run", "7", "--rows", "test"]))
        .refused(1, &["no test rows", "--rows validation"]);
}
