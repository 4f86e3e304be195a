//! The page of `host-trainer page` as a person uses it: drawing, photos, rows, other models; by
//! keyboard alone, with labels for screen readers, at the width of a phone and of a wide screen.

use std::fs;
use std::path::{Path, PathBuf};

use host_trainer::chips::Measured;
use host_trainer::data::Preparation;
use host_trainer::predict::{AskedPreparation, preparation};
use model_format::Model;
use model_format::build::{ModelSpec, OutputSpec};
use serde_json::{Value, json};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::served::{Served, Window};
use thimble_tests::trained::digits_run;
use thimble_tests::workspace::{empty_dir, read, root, write};

const WIDE: Window = Window { width: 1600, dark: false };

fn page(folder: &Path, model: &Path) -> String {
    let model = model.to_str().expect("a path of this test");
    let written = ["page", model, "--output", "page.html", "--quiet"];
    Finished::of(&mut host_trainer(folder, written)).success();
    fs::read_to_string(folder.join("page.html")).expect("the page was written")
}

fn example(name: &str) -> PathBuf {
    root().join("firmware/models").join(name)
}

/// Uses the page of a model with a script that defines `use_page`.
fn used(name: &str, model: &Path, script: &str, window: Window) -> Value {
    let page = page(&empty_dir(&format!("page-use-{name}")), model);
    let script = format!("<script>{script}</script>");
    let served = Served { name, page: &page, before: "", script: &script, board: None };
    let found = served.found(window);
    assert_eq!((&found["errors"], &found["fetched"]), (&json!([]), &json!([])), "{found}");
    found
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().expect("bytes").iter().map(|byte| byte.as_u64().unwrap() as u8).collect()
}

#[test]
fn a_damaged_model_is_refused_in_words_and_another_one_runs() {
    let mut spec = ModelSpec::from(&Model::parse(&read(example("wine.thimble"))).unwrap());
    spec.output = OutputSpec::classes(["<img src=x onerror=alert(1)>", "class_1", "class_2"]);
    let wine = spec.to_bytes().expect("a valid model");
    let mut damaged = wine.clone();
    damaged[100] ^= 1;
    let expected = Model::parse(&damaged).expect_err("it is damaged").to_string();
    let script = format!(
        r#"
        const file = (bytes, name) => new File([new Uint8Array(bytes)], name);
        async function use_page() {{
          const {{ page }} = thimble, status = () => page.status.textContent;
          const before = page.engine.model.name;
          await page.open(file({}, "<b>bad.thimble"));
          const refused = status(), kept = page.engine.model.name;
          await page.open(file([], "empty"));
          const empty = status();
          await page.open(file({}, "wine.thimble"));
          return {{ before, refused, kept, empty, status: status(), after: page.engine.model.name,
            bold: page.status.querySelector("b") !== null,
            images: document.images.length, sliders: document.querySelectorAll("input[type=range]").length, spoken: page.answerView.spoken.textContent }};
        }}"#,
        json!(damaged),
        json!(wine)
    );
    let found = used("damaged", &example("digits.thimble"), &script, WIDE);
    assert_eq!((&found["before"], &found["kept"]), (&json!("digits"), &json!("digits")));
    assert_eq!(found["refused"], format!("<b>bad.thimble is refused: {expected}"));
    assert!(found["empty"].as_str().unwrap().starts_with("empty is refused: "), "{found}");
    assert_eq!((&found["after"], &found["sliders"]), (&json!("wine"), &json!(13)));
    assert!(found["status"].as_str().unwrap().starts_with("wine: 4 self-tests"), "{found}");
    assert!(found["spoken"].as_str().unwrap().starts_with("<img src=x"), "{found}");
    let markup = (&found["bold"], &found["images"]);
    assert_eq!(markup, (&json!(false), &json!(0)), "a name or a label becomes markup");
}

/// Draws by keys and by a pointer. The image is prepared as the command line prepares it.
#[test]
fn drawings_and_photos_are_prepared_as_for_training() {
    let folder = empty_dir("page-photo");
    let photo = image::RgbImage::from_fn(90, 70, |x, y| {
        let ink = (x as i32 - 45).pow(2) + (y as i32 - 35).pow(2);
        image::Rgb(if (300..600).contains(&ink) { [20, 30, 60] } else { [220, 215, 205] })
    });
    photo.save(folder.join("photo.png")).expect("the image is written");
    let script = format!(
        r#"
        async function use_page() {{
          const {{ page }} = thimble, {{ input }} = page, canvas = document.querySelector("canvas.paper");
          const key = (key, more) => canvas.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true, cancelable: true, ...more }}));
          const isShown = () => !page.answerView.element.hidden;
          const state = () => {{
            const pixels = input.pixels(), prepared = page.engine.prepare(page.preparation.words, pixels);
            return {{ width: pixels.width, height: pixels.height, pixels: [...pixels.data], bytes: [...prepared.bytes],
              inverted: prepared.inverted, shown: isShown(), spoken: page.answerView.spoken.textContent,
              output: [...new Uint8Array(page.last.answer.output.buffer)], float: page.answerView.bars.querySelectorAll(".float").length }};
          }};
          const empty = isShown();
          canvas.focus();
          key("ArrowUp"); key(" ");
          for (let step = 0; step < 9; step++) key("ArrowDown");
          key(" ");
          const drawn = state();
          const box = canvas.getBoundingClientRect();
          const pointer = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {{ pointerId: 1, bubbles: true,
            clientX: box.left + x * box.width, clientY: box.top + y * box.height }}));
          pointer("pointerdown", 0.3, 0.3); pointer("pointermove", 0.7, 0.3); pointer("pointerup", 0.7, 0.3);
          const more = state(), strokes = input.strokes.length;
          key("z", {{ ctrlKey: true }});
          const undone = state();
          key("Delete");
          const cleared = isShown();
          await input.open(new File([new Uint8Array({})], "photo.png", {{ type: "image/png" }}));
          const photo = state();
          await input.open(new File(["text"], "text.png"));
          const cycles = document.querySelector("section tbody tr:last-child td[data-column=cycles]").textContent;
          return {{ empty, drawn, more, strokes, cycles, undone, cleared, photo, refused: input.status.textContent }};
        }}"#,
        json!(read(folder.join("photo.png")))
    );
    let run = digits_run();
    let found = used("drawing", &run, &script, WIDE);
    let file = read(run.join("model.thimble"));
    let model = Model::parse(&file).expect("a valid model");
    let chosen = preparation(&model, &AskedPreparation::default(), None).expect("images");
    let words: Preparation = chosen.preparation;
    for name in ["drawn", "more", "undone", "photo"] {
        let state = &found[name];
        let side = |key: &str| state[key].as_u64().unwrap() as u32;
        let image =
            image::RgbaImage::from_raw(side("width"), side("height"), bytes(&state["pixels"]));
        let image = image::DynamicImage::ImageRgba8(image.expect("all pixels"));
        let prepared = words.apply(image::DynamicImage::ImageRgb8(image.into_rgb8())).unwrap();
        assert_eq!(bytes(&state["bytes"]), prepared.bytes, "{name}");
        assert_eq!(state["inverted"], prepared.inverted, "{name}");
        assert_eq!((&state["shown"], &state["float"]), (&json!(true), &json!(10)), "{name}");
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = thimble_nn::Engine::new(model.clone(), &mut scratch).expect("an engine");
        let input: Vec<i8> = prepared.bytes.iter().map(|byte| (byte ^ 0x80) as i8).collect();
        let answer = engine.run(&input).expect("an answer");
        assert_eq!(bytes(&state["output"]), answer.bytes(), "{name}");
        let label = answer.class().expect("a class").label();
        assert!(
            state["spoken"].as_str().unwrap().starts_with(label),
            "{name}: {}",
            state["spoken"]
        );
    }
    assert_eq!(found["drawn"]["bytes"], found["undone"]["bytes"], "undo");
    assert_ne!(found["drawn"]["bytes"], found["more"]["bytes"]);
    let flags = [&found["empty"], &found["cleared"], &found["strokes"]];
    assert_eq!(flags, [&json!(false), &json!(false), &json!(2)]);
    assert!(found["refused"].as_str().unwrap().contains("text.png is no image"), "{found}");
    // The cycles that `inspect --for` predicts; the page rounds a call and two layers by themselves.
    let cycles: f64 = found["cycles"].as_str().unwrap().replace(',', "").parse().unwrap();
    let measured = Measured::read().expect("costs");
    let (wide, small) = (measured.cycles["int8"]["m4"], measured.small.cycles["m4"]);
    let expected = wide.total([(64, 32)]) + small.of_layer(32, 10);
    assert!((cycles - expected).abs() <= 3.0 * 0.5, "{cycles}, expected {expected}");
    // The browser decodes a PNG without transparency to the same pixels.
    let predicted = ["predict", run.to_str().unwrap(), "photo.png", "--json"];
    let predicted = Finished::of(&mut host_trainer(&folder, predicted)).success();
    let predicted: Value = serde_json::from_str(&predicted.stdout).unwrap();
    let pixels =
        bytes(&found["photo"]["bytes"]).into_iter().map(|byte| f32::from(byte) * (1.0 / 16.0));
    assert_eq!(predicted["images"][0]["pixels"], json!(pixels.collect::<Vec<f32>>()));
}

#[test]
fn rows_of_a_table_are_answered_and_bad_ones_named() {
    let script = r#"
        async function use_page() {
          const { page } = thimble, { rows } = page, names = page.features.map(({ name }) => name);
          const middle = page.input.readings;
          const answer = async (text, name = "rows.csv") => {
            await rows.answer(new Blob([text]), name);
            return { status: rows.status.textContent, csv: (rows.parts ?? []).join(""), cells: rows.results.querySelectorAll("td").length };
          };
          const named = await answer(`"${[...names].reverse().join('","')}",class\r\n${[...middle].reverse().join(",")},class_0\n`);
          const spreadsheet = await answer(`${middle.join("\t").replaceAll(".", ",")}\n${middle.join("\t")}\n`);
          const missing = await answer(`${names.slice(1).join(",")}\n${middle.slice(1).join(",")}\n`);
          const bad = await answer(`${middle.join(",")}\n${middle.join(",").replace(/^[^,]*/, "<i>x")}\n`);
          const short = await answer("1,2,3\n");
          const empty = await answer("");
          const line = `${middle.join(",")}\n`, long = rows.answer(new Blob([line.repeat(30_000)]), "long.csv");
          await new Promise((done) => setTimeout(done, 300));
          const bar = { hidden: rows.bar.hidden, value: rows.bar.value };
          rows.stopButton.click();
          await long;
          const stopped = { status: rows.status.textContent, rows: rows.rows };
          page.input.set(middle.map((value, index) => value * (index === 12 ? 0.4 : 1)));
          return { named, spreadsheet, missing, bad, short, empty, bar, stopped, first: names[0],
            moved: page.answerView.moved.textContent, italic: document.querySelectorAll("i").length - 2 * names.length };
        }"#;
    let found = used("rows", &example("wine.thimble"), script, WIDE);
    let status = |name: &str| found[name]["status"].as_str().unwrap();
    assert!(status("named").contains("rows.csv: 1 rows. 1 of 1 labels"), "{found}");
    let csv = found["named"]["csv"].as_str().unwrap();
    assert!(
        csv.starts_with("line,class,class_0,class_1,class_2,saturated,moved most by\n2,class_0,"),
        "{csv}"
    );
    assert!(status("spreadsheet").contains("2 rows"), "{found}");
    assert!(status("missing").contains(found["first"].as_str().unwrap()), "{found}");
    assert!(status("bad").contains("Line 2, column 1: \"<i>x\" is no number"), "{found}");
    assert!(status("short").contains("3 columns, and the model takes 13"), "{found}");
    assert!(status("empty").contains("no rows"), "{found}");
    assert_eq!((&found["bar"]["hidden"], &found["italic"]), (&json!(false), &json!(0)));
    let rows = found["stopped"]["rows"].as_u64().unwrap();
    assert!(
        (1..30_000).contains(&rows)
            && found["stopped"]["status"].as_str().unwrap().contains("Stopped")
    );
    assert!(found["moved"].as_str().unwrap().contains("proline"), "{found}");
}

/// Requirements of a page at any width, measured in the window `view`.
const MEASURE: &str = r#"
    const measure = (view) => {
      const page = view.document, root = page.documentElement;
      const controls = [...page.querySelectorAll("button, input, select, textarea, canvas, progress")];
      const name = (element) => element.getAttribute("aria-label") || element.labels?.[0]?.textContent || (element.tagName === "BUTTON" && element.textContent);
      const wide = [...page.querySelectorAll("main *")].filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.right > view.innerWidth + 1 && !element.closest(".spoken, svg *, .stack thead");
      });
      return {
        state: page.getElementById("playground").dataset.state, width: view.innerWidth,
        scroll: Math.max(root.scrollWidth, page.body.scrollWidth), controls: controls.length,
        nameless: controls.filter((element) => !name(element)).map((element) => element.outerHTML.slice(0, 80)),
        unreachable: controls.filter((element) => element.tabIndex < 0 && !element.closest(".spoken") && !element.matches(".seen, .strip, progress")).map((element) => element.outerHTML.slice(0, 80)),
        wide: wide.slice(0, 5).map((element) => `${element.tagName}.${element.className}`),
      };
    };"#;

#[test]
fn every_width_and_color_scheme_has_names_and_no_sideways_scrolling() {
    let folder = empty_dir("page-widths");
    let train =
        ["train", "u-spirals-2", "--set", "training.epochs=1", "--quiet", "--output", "run"];
    Finished::of(&mut host_trainer(&folder, train)).success();
    let mut pages = vec![fs::read_to_string(folder.join("run/report.html")).expect("the report")];
    for (name, model) in
        [("wine", example("wine.thimble")), ("digits", digits_run()), ("plane", folder.join("run"))]
    {
        pages.push(page(&empty_dir(&format!("page-widths-{name}")), &model));
    }
    for (page, name) in pages.iter().zip(["report", "wine", "digits", "plane"]) {
        for (width, dark) in [(400, false), (400, true), (1600, false), (1600, true)] {
            let script = format!(
                r#"<script>{MEASURE}
                async function use_page() {{
                  const frame = document.getElementById("frame"), view = frame.contentWindow;
                  while (!view.document.getElementById("playground")?.dataset.state) await new Promise((done) => setTimeout(done, 20));
                  return {{ ...measure(view), inner: view.eval("errors") }};
                }}</script>"#
            );
            let outer = Served::narrow(page, width);
            let served = Served {
                name: &format!("widths-{name}-{width}-{dark}"),
                page: &outer,
                before: "",
                script: &script,
                board: None,
            };
            let found = served.found(Window { width: 1700, dark });
            let none = json!([]);
            for key in ["errors", "inner", "nameless", "unreachable", "wide"] {
                assert_eq!(found[key], none, "{name} at {width}: {found:#}");
            }
            assert_eq!(
                (&found["state"], &found["width"]),
                (&json!("ready"), &json!(width)),
                "{name}"
            );
            assert!(found["scroll"].as_u64() <= Some(width.into()), "{name} at {width}: {found:#}");
            assert!(found["controls"].as_u64() > Some(8), "{name}: {found:#}");
        }
    }
}

#[test]
fn a_browser_without_webassembly_is_told_so_and_bad_models_have_no_page() {
    let page = page(&empty_dir("page-without"), &example("wine.thimble"));
    let served = Served {
        name: "without",
        page: &page,
        before: "<script>delete window.WebAssembly;</script>",
        script: "<script>async function use_page() { return { text: document.getElementById('playground').textContent }; }</script>",
        board: None,
    };
    let found = served.found(WIDE);
    assert!(found["text"].as_str().unwrap().contains("no WebAssembly"), "{found}");
    assert_eq!(found["errors"], json!([]));

    let folder = empty_dir("page-bad");
    let mut damaged = read(example("wine.thimble"));
    damaged[60] ^= 1;
    write(folder.join("bad.thimble"), damaged);
    let refused = |arguments: &[&str], named: &[&str]| {
        Finished::of(&mut host_trainer(&folder, arguments)).refused(1, named);
    };
    refused(&["page", "bad.thimble"], &["bad.thimble", "CRC-32"]);
    refused(&["page", "none.thimble"], &["none.thimble"]);
    refused(&["page", "bad.thimble", "-o", "bad.thimble"], &["bad.thimble", "input"]);
}
