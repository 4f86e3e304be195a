//! The page of `host-trainer page` with a board beside it: a stand-in for the browser's serial port,
//! bridged to an emulated board.

use std::net::TcpStream;
use std::path::Path;

use host_trainer::device::board::Signed;
use serde_json::{Value, json};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::digits;
use thimble_tests::emulated::{board, default_model, listening, serving_firmware, signed_firmware};
use thimble_tests::owner::{PUBLIC, SECRET};
use thimble_tests::served::{Served, Window};
use thimble_tests::variant::variant;
use thimble_tests::workspace::{empty_dir, write};

/// Rows that the board evaluates.
const ROWS: usize = 30;

/// Stand-in for `navigator.serial`, and helpers of the tests.
const STAND_IN: &str = r#"<script>
  class StandIn {
    async open({ baudRate }) {
      if (baudRate !== 115200) throw new Error(`${baudRate} baud`);
      this.readable = new ReadableStream({
        async pull(controller) {
          for (;;) {
            const response = await fetch("/port");
            if (response.status === 410) return controller.error(new DOMException("The device has been lost.", "NetworkError"));
            const bytes = new Uint8Array(await response.arrayBuffer());
            if (bytes.length > 0) return controller.enqueue(bytes);
          }
        },
      });
      this.writable = new WritableStream({
        async write(chunk) { await fetch("/port", { method: "POST", body: chunk }); },
      });
    }
    async close() {}
  }
  let port = () => new StandIn();
  Object.defineProperty(navigator, "serial", { value: { requestPort: async () => port() } });
  const until = async (condition) => {
    for (let tries = 0; tries < 3000 && !condition(); tries++) await new Promise((done) => setTimeout(done, 20));
    if (!condition()) throw new Error(`never: ${condition}: ${thimble.page.board.status.textContent}`);
  };
  const said = () => thimble.page.board.status.textContent;
  const click = (text) => [...thimble.page.board.element.querySelectorAll("button")].find((each) => each.textContent === text).click();
</script>"#;

fn page(folder: &Path, model: &[u8]) -> String {
    write(folder.join("model.thimble"), model);
    let written = ["page", "model.thimble", "--output", "page.html", "--quiet"];
    Finished::of(&mut host_trainer(folder, written)).success();
    std::fs::read_to_string(folder.join("page.html")).expect("the page was written")
}

fn used(name: &str, page: &str, script: &str, board: Option<TcpStream>) -> Value {
    let script = format!("<script>{script}</script>");
    let served = Served { name, page, before: STAND_IN, script: &script, board };
    let found = served.found(Window { width: 1600, dark: false });
    assert_eq!(found["errors"], json!([]), "{found:#}");
    found
}

/// Connects, compares answers, evaluates a file, names another model, updates, and is unplugged.
#[test]
fn a_board_answers_beside_the_page() {
    let (_emulator, address) = listening(&serving_firmware(board(), &default_model()));
    let stream = TcpStream::connect(address).expect("the emulated board listens");
    let pixels = |row: &Vec<i8>| {
        let pixels: Vec<String> = row.iter().map(|q| (*q as u8 ^ 0x80).to_string()).collect();
        pixels.join(",") + ",3\n"
    };
    let rows: String = digits::all()[..ROWS].iter().map(pixels).collect();
    let script = format!(
        r#"
        async function use_page() {{
          const {{ page }} = thimble, rows = {}, other = {};
          click("Connect a board");
          await until(() => said().startsWith("The board runs the model"));
          const facts = page.board.facts.textContent, connected = said();
          page.input.begin(100, 60); page.input.extend(120, 220);
          await until(() => said().includes("all 10 bytes"));
          const compared = said();
          const counts = await page.board.evaluate(new File([rows], "digits.csv"));
          const evaluated = said();
          await page.open(new File([new Uint8Array(other)], "other.thimble"));
          await until(() => said().startsWith("The board runs another model"));
          const differs = said();
          const refused = await page.board.evaluate(new File([rows], "digits.csv"));
          click("Write the page's model to the board");
          await until(() => said().startsWith("The board runs the model"));
          const updated = said(), after = page.board.facts.textContent;
          page.input.begin(100, 60); page.input.extend(120, 220);
          await until(() => said().includes("all 10 bytes"));
          await fetch("/unplug", {{ method: "POST" }});
          page.input.extend(60, 60);
          await until(() => said().startsWith("The connection to the board broke"));
          return {{ facts, connected, compared, counts, evaluated, differs, refused, updated, after, unplugged: said(),
            button: page.board.connectButton.textContent }};
        }}"#,
        json!(rows),
        json!(variant(1))
    );
    let folder = empty_dir("page-board");
    let found = used("board", &page(&folder, &default_model()), &script, Some(stream));
    let text = |name: &str| found[name].as_str().unwrap_or_else(|| panic!("{name}: {found:#}"));
    assert!(text("facts").contains(board().name) && text("facts").contains("digits"), "{found:#}");
    assert_eq!(text("compared"), "The board's answer equals the page's in all 10 bytes.");
    assert_eq!(found["counts"]["rows"], ROWS);
    assert_eq!(found["counts"]["equal"], ROWS);
    assert!(text("evaluated").contains("30 of 30 answers equal the page's"), "{found:#}");
    for name in ["digits (", "digits 1 ("] {
        assert!(text("differs").contains(name), "{found:#}");
    }
    assert_eq!(found["refused"], Value::Null);
    assert!(
        text("updated").contains("digits 1") && text("after").contains("digits 1"),
        "{found:#}"
    );
    assert!(text("unplugged").contains("The device has been lost"), "{found:#}");
    assert_eq!(text("button"), "Connect a board");
}

/// A board that asks for signatures of models and commands takes the page's model with the key.
#[test]
fn a_board_with_a_key_takes_what_its_owner_signs() {
    let folder = empty_dir("page-signed");
    let key = folder.join("owner.pub");
    write(&key, PUBLIC);
    let elf = signed_firmware(board(), &default_model(), Signed::ModelsAndCommands, &key);
    let (_emulator, address) = listening(&elf);
    let stream = TcpStream::connect(address).expect("the emulated board listens");
    let script = format!(
        r#"
        async function use_page() {{
          const {{ page }} = thimble;
          click("Connect a board");
          await until(() => said().startsWith("The board runs another model"));
          click("Write the page's model to the board");
          await until(() => said().includes("only signed models"));
          const unsigned = said();
          page.board.key.value = "no key";
          click("Write the page's model to the board");
          await until(() => said().includes("no secret key"));
          page.board.key.value = {};
          click("Write the page's model to the board");
          await until(() => said().startsWith("The board runs the model"));
          return {{ unsigned, updated: said() }};
        }}"#,
        json!(SECRET)
    );
    let found = used("signed", &page(&folder, &variant(2)), &script, Some(stream));
    assert!(found["unsigned"].as_str().unwrap().contains("paste the owner's key"), "{found:#}");
    assert!(found["updated"].as_str().unwrap().contains("digits 2"), "{found:#}");
}

/// Without Web Serial the rest works; an older protocol and noise are named.
#[test]
fn browsers_and_boards_that_cannot_are_named() {
    let script = r#"
        async function use_page() {
          const { page } = thimble;
          const answering = (bytes) => ({
            async open() {
              let respond;
              this.readable = new ReadableStream({ start: (controller) => { respond = controller; } });
              this.writable = new WritableStream({ write: () => respond.enqueue(Uint8Array.from(bytes)) });
            },
            async close() {},
          });
          port = () => answering(thimble.frameOf([1, 0, 3]));
          click("Connect a board");
          await until(() => said().includes("protocol"));
          const older = said();
          port = () => answering([0, 9, 9, 9, 0, ...thimble.frameOf([1, 3, 2])]);
          click("Connect a board");
          await until(() => said().includes("UnknownRequest"));
          const unknown = said();
          port = () => ({ open: async () => { throw new Error("busy"); } });
          click("Connect a board");
          await until(() => said().includes("busy"));
          const busy = said();
          port = () => { throw new Error("nothing chosen"); };
          click("Connect a board");
          await until(() => said().includes("No port"));
          // Frames of all lengths around a block of COBS, with zeros and without.
          const frames = [];
          for (let length = 1; length < 800; length++) {
            const message = Uint8Array.from({ length }, (_, index) => (length % 3 === 0 ? 1 + index % 255 : (index * 7 + length) % 5));
            const frame = thimble.frameOf(message), inner = frame.subarray(1, -1);
            const back = thimble.messageOf(inner);
            if (inner.includes(0) || !back || back.length !== length || back.some((byte, index) => byte !== message[index])) frames.push(length);
          }
          return { older, unknown, busy, frames, example: [...thimble.frameOf([8, 1, 3, 5, 0, 255])] };
        }"#;
    let folder = empty_dir("page-unable");
    let page = page(&folder, &default_model());
    let found = used("unable", &page, script, None);
    let older = found["older"].as_str().unwrap();
    assert!(older.contains("version 3") && older.contains("version 5"), "{older}");
    assert!(older.contains("Update its firmware"), "{older}");
    assert_eq!(found["frames"], json!([]));
    // The example of LINK.md.
    let example = [0, 5, 8, 1, 3, 5, 6, 255, 0xf6, 0x88, 0x8d, 0x59, 0];
    assert_eq!(found["example"], json!(example));
    let script = "<script>async function use_page() { return { text: thimble.page.board.element.textContent, \
         buttons: thimble.page.board.element.querySelectorAll('div:not([hidden]) > button').length, works: thimble.page.engine.selfTest() }; }</script>";
    let without = "<script>delete Navigator.prototype.serial;</script>";
    let served = Served { name: "no-serial", page: &page, before: without, script, board: None };
    let found = served.found(Window { width: 1600, dark: false });
    assert!(found["text"].as_str().unwrap().contains("no Web Serial"), "{found}");
    assert_eq!(found["works"], 4, "{found}");
}
