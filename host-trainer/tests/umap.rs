//! `features --map umap`, in a program that was built with it:
//! `cargo test -p host-trainer --features umap --test umap`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    program.current_dir(folder).args(arguments).output().expect("the program runs")
}

/// The class of each row, and its place in the plane.
fn rows(csv: &str) -> Vec<(String, f64, f64)> {
    let row = |line: &str| {
        let mut cells = line.split(',').skip(1);
        let class = cells.next().unwrap().to_string();
        let mut number = || cells.next().unwrap().parse().unwrap();
        (class, number(), number())
    };
    csv.lines().skip(1).map(row).collect()
}

/// Rows whose nearest in the plane is of the same class.
fn with_their_kind(csv: &str) -> usize {
    let rows = rows(csv);
    let distance = |a: usize, b: usize| (rows[a].1 - rows[b].1).hypot(rows[a].2 - rows[b].2);
    let nearest = |row: usize| {
        let others = (0..rows.len()).filter(move |&other| other != row);
        others.min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b))).unwrap()
    };
    (0..rows.len()).filter(|&row| rows[nearest(row)].0 == rows[row].0).count()
}

#[test]
fn digits_stand_with_their_kind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let done = |arguments: &[&str]| {
        let output = run(folder, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let name = folder.join("run/features-0.csv");
        fs::read_to_string(name).unwrap_or_default()
    };
    done(&["train", "digits", "--quiet", "--output", "run"]);
    let components = done(&["features", "run", "0", "--quiet"]);
    let umap = done(&["features", "run", "0", "--quiet", "--map", "umap"]);
    assert!(components.starts_with("row,class,pc1,pc2,output_0,"));
    assert!(umap.starts_with("row,class,umap1,umap2,output_0,"));
    assert!(with_their_kind(&umap) > with_their_kind(&components), "UMAP shows less than PCA");
    let page = fs::read_to_string(folder.join("run/features-0.html")).unwrap();
    assert!(page.contains("15 neighbors") && page.contains("UMAP 1"));
    let again = done(&["features", "run", "0", "--quiet", "--map", "umap"]);
    assert!(umap == again, "another picture of the same run");
    let fewer = done(&["features", "run", "0", "--quiet", "--map", "umap", "--neighbors", "5"]);
    assert!(umap != fewer, "--neighbors changes nothing");

    let refused = run(folder, &["features", "run", "0", "--map", "umap", "--neighbors", "359"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("--neighbors 358"), "{said}");
}
