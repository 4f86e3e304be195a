//! The report of a run in a real browser: no script error, no missing picture, no horizontal
//! scrolling, at the width of a phone and of a wide screen.

use std::fs;
use std::path::{Path, PathBuf};

use thimble_tests::browser::found_in_frames;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::empty_dir;

/// Widths of a page in pixels.
const WIDTHS: [u32; 2] = [400, 1600];

/// Script that the browser runs in a copy of the page; its findings become text of the outer page.
const MEASURE: &str = r#"
<script>
  const errors = [];
  addEventListener("error", (event) => errors.push(event.message || "a resource of " + event.target.tagName), true);
  addEventListener("load", () => {
    const root = document.documentElement;
    const wide = [...document.querySelectorAll("main *")].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && box.right > innerWidth + 1 && !element.closest("svg *, .stack thead");
    });
    const result = {
      errors,
      width: innerWidth,
      scroll: Math.max(root.scrollWidth, document.body.scrollWidth),
      wide: wide.slice(0, 5).map((element) => element.tagName + "." + element.className),
      pictures: document.images.length,
      missing: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).length,
      flat: [...document.images].filter((image) => image.clientHeight < image.clientWidth / 2).length,
      headless: [...document.querySelectorAll("table")].filter((table) => !table.tHead || !table.tHead.querySelector("th")).length,
      drawings: document.querySelectorAll("svg").length,
      fetched: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    };
    parent.document.getElementById(name).textContent = JSON.stringify(result);
  });
</script>
"#;

/// Opens pages at each of [`WIDTHS`] and returns the findings of [`MEASURE`], page by page.
fn measured(pages: &[&Path], dark: bool) -> Vec<Vec<serde_json::Value>> {
    let with_script = |page: &&Path| {
        let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        let has_model = text.contains("id=\"playground\"");
        assert!(has_model || !text.contains("<script"), "{}: a script", page.display());
        text.replacen("<head>", &format!("<head>{MEASURE}"), 1)
    };
    let pages: Vec<String> = pages.iter().map(with_script).collect();
    found_in_frames(&format!("report-measured-{dark}"), &pages, &WIDTHS, dark)
}

/// Fails on visible defects of a page.
fn check(page: &Path, width: u32, found: &serde_json::Value) {
    let (page, none) = (page.display(), serde_json::json!([]));
    assert_eq!(found["width"], width, "{page}: measured at another width: {found}");
    assert_eq!(found["errors"], none, "{page}: {found}");
    assert_eq!(found["fetched"], none, "{page} needs a network: {found}");
    assert!(
        found["scroll"].as_u64() <= Some(width.into()) && found["wide"] == none,
        "{page} at {width} pixels scrolls sideways: {found}"
    );
    assert_eq!(found["missing"], 0, "{page}: pictures are missing: {found}");
    assert_eq!(found["flat"], 0, "{page}: pictures are squeezed: {found}");
    assert_eq!(found["headless"], 0, "{page}: a table has no header: {found}");
}

#[test]
fn pages_of_a_run_open_in_a_browser() {
    let folder = empty_dir("report");
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    run(&["train", "digits", "--quiet", "--output", "run"]);
    run(&["features", "run", "0", "--quiet"]);
    run(&["compare", "run", "run", "run", "--quiet", "--html", "compare.html"]);
    let pages = ["run/report.html", "run/features-0.html", "compare.html"];
    let pages = pages.map(|name| folder.join(name));

    let paths: Vec<&Path> = pages.iter().map(PathBuf::as_path).collect();
    for dark in [false, true] {
        let found = measured(&paths, dark);
        for (page, found) in paths.iter().zip(&found) {
            WIDTHS.iter().zip(found).for_each(|(&width, found)| check(page, width, found));
        }
        let report = &found[0][0];
        assert!(report["pictures"].as_u64() > Some(50), "{report}");
        assert!(report["drawings"].as_u64() > Some(15), "{report}");
    }

    let written = fs::read(&pages[0]).unwrap();
    fs::remove_file(&pages[0]).unwrap();
    run(&["report", "run", "--quiet"]);
    assert!(written == fs::read(&pages[0]).unwrap(), "the report of a run read back is another");
    run(&["report", "run", "--quiet", "--no-playground"]);
    let without = fs::read_to_string(&pages[0]).unwrap();
    assert!(!without.contains("<script"), "a report without the model has no script");
    assert!(String::from_utf8(written).unwrap().contains("id=\"playground\""));
}

#[test]
fn what_is_no_run_and_no_picture_is_named() {
    let folder = empty_dir("report-bad");
    fs::write(folder.join("text.png"), "no picture").unwrap();
    let model = thimble_tests::workspace::root().join("firmware/models/digits.thimble");
    let model = model.to_str().unwrap();
    let refused = |arguments: &[&str], named: &[&str]| {
        Finished::of(&mut host_trainer(&folder, arguments)).refused(1, named);
    };
    refused(&["report", "nowhere"], &["nowhere", "preset.toml", "runs/digits"]);
    refused(&["compare", "nowhere"], &["nowhere", "metrics.json"]);
    refused(&["features", "nowhere", "0"], &["nowhere", "preset.toml"]);
    refused(&["predict", model, "text.png"], &["text.png", "not an image", "PNG or JPEG"]);
    refused(&["predict", model, "none.jpg"], &["none.jpg"]);
}
