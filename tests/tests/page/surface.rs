//! The surface of a network with two inputs, in a real browser: it is drawn, it turns, and labels
//! distinguish data, float and int8 network.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use thimble_tests::browser::found_in_frames;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::empty_dir;

/// Widths of the page in pixels.
const WIDTHS: [u32; 2] = [400, 1600];

/// Notes errors from the beginning.
const ERRORS: &str = r#"
<script>
  const errors = [];
  addEventListener("error", (event) => errors.push(event.message || "a resource"), true);
</script>
"#;

/// Uses the page as a person does, and writes what it sees into the outer page.
const USE: &str = r#"
<script>
  addEventListener("load", () => {
    const canvas = document.getElementById("surface"), tip = document.getElementById("tip");
    const data = JSON.parse(document.getElementById("surface-data").textContent);
    const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const box = canvas.getBoundingClientRect();
    const pointer = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {
      pointerId: 1, pointerType: "mouse", bubbles: true, clientX: box.left + x, clientY: box.top + y,
    }));
    const key = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const colors = () => {
      surface.paint();
      const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return { painted: pixels.filter((pixel) => pixel !== 0).length / pixels.length, kinds: new Set(pixels).size };
    };
    const hover = (at) => {
      pointer("pointermove", at);
      surface.paint();
      return tip.hidden ? [] : [...tip.children].map((line) => line.textContent);
    };
    const show = (name, shown) => {
      const box = document.getElementById(`show-${name}`);
      if (box.checked !== shown) box.click();
      surface.paint();
    };
    const drawn = colors();

    // The first training row whose label is its own, and a grid point of each network.
    const training = data.points.find((points) => points.split === "training");
    const [xs, ys, zs] = [floats(training.x), floats(training.y), floats(training.z[0])];
    const rows = new Uint32Array(Uint8Array.from(atob(training.rows), (c) => c.charCodeAt(0)).buffer);
    const own = (row) => `training data, row ${rows[row]}`;
    let known = 0, label = [];
    for (; known < 300; known++) {
      label = hover(surface.place(xs[known], ys[known], zs[known]));
      if (label[0] === own(known)) break;
    }
    const row = { label, expected: [own(known), xs[known], ys[known], zs[known]] };
    for (const points of data.points) show(points.split, false);
    const networks = data.networks.map((network) => {
      for (const { name } of data.networks) show(name, name === network.name);
      const column = 60, line = 30, index = line * data.side + column, z = floats(network.z[0])[index];
      const at = (range, place) => range[0] + (range[1] - range[0]) * place / (data.side - 1);
      const [x, y] = [at(data.x, column), at(data.y, line)];
      // From above, no part of the surface hides another.
      for (let press = 0; press < 20; press++) key("ArrowUp");
      surface.paint();
      return { label: hover(surface.place(x, y, z)), expected: [network.title, x, y, z], drawn: colors() };
    });
    for (const points of data.points) show(points.split, true);
    pointer("pointerleave", [0, 0]);
    key("Home");

    const place = () => surface.place(xs[known], ys[known], zs[known]);
    const first = place();
    const [x, y] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    pointer("pointerdown", [x, y]); pointer("pointermove", [x + 60, y + 25]); pointer("pointerup", [x + 60, y + 25]);
    const dragged = place();
    key("Home");
    key("ArrowLeft");
    const pressed = place();
    key("Home");
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -200, cancelable: true }));
    const zoomed = place();
    key("Home");
    const again = place();
    const result = {
      errors, drawn, row, networks, first, dragged, pressed, zoomed, again,
      spoken: document.getElementById("spoken").textContent,
      described: canvas.getAttribute("aria-label"), role: canvas.getAttribute("role"),
      scroll: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth), width: innerWidth,
      fetched: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    };
    parent.document.getElementById(name).textContent = JSON.stringify(result);
  });
</script>
"#;

/// Uses a page at both widths.
fn used(page: &Path, dark: bool) -> Vec<Value> {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let text = text.replacen("<head>", &format!("<head>{ERRORS}"), 1);
    let text = text.replacen("</body>", &format!("{USE}</body>"), 1);
    found_in_frames(&format!("surface-used-{dark}"), &[text], &WIDTHS, dark).remove(0)
}

/// Asserts that a label contains the title and the three numbers, to its four digits.
fn check_label(found: &Value) {
    let (label, expected) = (&found["label"], &found["expected"]);
    assert_eq!(label[0], expected[0], "{found}");
    for axis in 1..4 {
        let text = label[axis].as_str().unwrap_or_else(|| panic!("{found}"));
        let number = text.rsplit(" = ").next().unwrap().replace('−', "-");
        let (number, expected) = (number.parse::<f64>().unwrap(), expected[axis].as_f64().unwrap());
        // Half a unit of the fourth digit, which is at most 0.5e-3 of the number.
        assert!((number - expected).abs() <= expected.abs() * 0.5e-3, "{text}: {found}");
    }
}

fn distance(found: &Value, name: &str) -> f64 {
    let at = |name: &str, axis: usize| found[name][axis].as_f64().unwrap_or(f64::NAN);
    (at(name, 0) - at("first", 0)).hypot(at(name, 1) - at("first", 1))
}

#[test]
fn a_surface_turns_and_labels_distinguish_data_and_networks() {
    let folder = empty_dir("surface");
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    run(&["train", "u-eggcrate", "--set", "training.epochs=3", "--quiet", "--output", "run"]);
    let page = folder.join("run/surface.html");
    let report = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(report.contains("href=\"surface.html\""), "the report has no link to the surface");
    for dark in [false, true] {
        for (found, width) in used(&page, dark).iter().zip(WIDTHS) {
            assert_eq!((&found["errors"], &found["fetched"]), (&json!([]), &json!([])), "{found}");
            assert!(
                found["width"] == width && found["scroll"].as_u64() <= Some(width.into()),
                "{found}"
            );
            let networks = found["networks"].as_array().unwrap();
            assert_eq!(networks.len(), 2);
            let drawn = networks.iter().map(|network| &network["drawn"]).chain([&found["drawn"]]);
            for drawn in drawn {
                assert!(drawn["painted"].as_f64() > Some(0.05), "nearly empty: {found}");
                assert!(drawn["kinds"].as_u64() > Some(50), "no shading: {found}");
            }
            check_label(&found["row"]);
            networks.iter().for_each(check_label);
            assert_eq!(networks[0]["expected"][0], "float network");
            assert_eq!(networks[1]["expected"][0], "int8 network");
            for moved in ["dragged", "pressed", "zoomed"] {
                assert!(distance(found, moved) > 2.0, "{moved} moves nothing: {found}");
            }
            assert_eq!(found["first"], found["again"], "Home does not reset the view");
            assert_eq!(found["role"], "img");
            for words in ["Arrow keys", "x and y"] {
                assert!(found["described"].as_str().unwrap().contains(words), "{found}");
            }
            assert!(found["spoken"].as_str().unwrap().contains("degrees"), "{found}");
        }
    }

    let written = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    let named = Finished::of(&mut host_trainer(&folder, ["report", "run"])).success();
    assert!(named.stdout.contains("surface.html"), "{named:?}");
    assert!(written == fs::read(&page).unwrap(), "the surface of a run read back is another");
}

#[test]
fn classes_have_probabilities_and_other_networks_no_surface() {
    let folder = empty_dir("surface-classes");
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    run(&["train", "u-spirals-6", "--set", "training.epochs=1", "--quiet", "--output", "run"]);
    let page = fs::read_to_string(folder.join("run/surface.html")).unwrap();
    assert_eq!(page.matches("<option>probability of ").count(), 6);
    // A run without a surface into the same folder leaves none of the earlier run.
    run(&["train", "digits", "--set", "training.epochs=1", "--quiet", "--output", "run"]);
    assert!(!folder.join("run/surface.html").exists());
    let report = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(!report.contains("surface.html"));
}
