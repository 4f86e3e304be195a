//! Pages in headless Chromium.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command::Finished;
use crate::workspace::empty_dir;

/// Opens pages at each of the widths in pixels, and returns what their scripts found, page by page.
/// Each page must have a script that writes JSON as text into the element of its parent with the id
/// `name`, the name of its window. The pages are in frames, because a browser's window cannot be as
/// narrow as a phone.
pub fn found_in_frames(
    folder: &str,
    pages: &[String],
    widths: &[u32],
    dark: bool,
) -> Vec<Vec<Value>> {
    let folder = empty_dir(folder);
    let mut frames = String::from("<!doctype html>");
    for (index, page) in pages.iter().enumerate() {
        fs::write(folder.join(format!("{index}.html")), page).expect("the page is written");
        for width in widths {
            frames += &format!(
                "<pre id=\"found-{index}-{width}\"></pre><iframe name=\"found-{index}-{width}\" \
                 src=\"{index}.html\" style=\"border: 0; width: {width}px; height: 1000px\"></iframe>"
            );
        }
    }
    let around = folder.join("around.html");
    fs::write(&around, frames).expect("the page is written");
    let mut browser = Command::new(chromium());
    browser
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--hide-scrollbars"])
        .args(["--allow-file-access-from-files", "--dump-dom", "--window-size=1700,1200"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()));
    if dark {
        browser.arg("--blink-settings=preferredColorScheme=0");
    }
    let finished = Finished::of(browser.arg(format!("file://{}", around.display()))).success();
    let found = |index: usize, width: u32| {
        let mark = format!("<pre id=\"found-{index}-{width}\">");
        let found =
            finished.stdout.split(&mark).nth(1).and_then(|rest| rest.split("</pre>").next());
        let found = found.filter(|found| !found.is_empty());
        let found = found.unwrap_or_else(|| panic!("the page was not measured: {finished:#?}"));
        let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"))
    };
    (0..pages.len())
        .map(|index| widths.iter().map(|&width| found(index, width)).collect())
        .collect()
}

/// Returns the installed Chromium.
pub(crate) fn chromium() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        || names.iter().flat_map(|name| std::env::split_paths(&path).map(move |p| p.join(name)));
    places().find(|place| place.is_file()).unwrap_or_else(|| {
        panic!(
            "no Chromium on this machine (looked for {} on the PATH): `tests/run prepare` \
             installs it, or `apt-get install chromium`",
            names.join(", ")
        )
    })
}
