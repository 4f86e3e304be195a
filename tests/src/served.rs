//! A page in headless Chromium that works for a while: served from this computer, its script posts
//! its findings, and may talk to a board through the server.
//!
//! | request | response |
//! |---|---|
//! | `GET /` | the page |
//! | `POST /found` | takes the findings, JSON |
//! | `POST /port` | sends the body to the board |
//! | `GET /port` | bytes of the board, as soon as there are some; status 410 when it is unplugged |

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::browser::chromium;
use crate::workspace::empty_dir;

/// Time limit for the findings of a page.
const LIMIT: Duration = Duration::from_secs(240);
/// Time that a request for bytes of the board waits for them.
const POLL: Duration = Duration::from_millis(50);

/// Notes errors from the beginning.
const ERRORS: &str = r#"<script>
  const errors = [];
  addEventListener("error", (event) => errors.push(event.message || "a resource"), true);
  addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
</script>"#;

/// Calls `use_page`, an asynchronous function of the test, when the page is ready, and posts its
/// result with the errors of scripts.
const DRIVER: &str = r#"<script>
  const ready = async () => {
    const root = document.getElementById("playground");
    while (root && !root.dataset.state) await new Promise((done) => setTimeout(done, 10));
  };
  ready().then(use_page).catch((error) => ({ failed: String(error), stack: error.stack })).then((found) =>
    fetch("/found", { method: "POST", body: JSON.stringify({ ...found, errors,
      fetched: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !/^(data|blob):|\/port$/.test(name)) }) }));
</script>"#;

/// Window of the browser.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Width in pixels. Chromium's windows are not narrower than 500: see [`Served::narrow`].
    pub width: u32,
    /// Whether the color scheme is dark.
    pub dark: bool,
}

/// A page to be used.
pub struct Served<'a> {
    /// Unique name of the test.
    pub name: &'a str,
    /// The page.
    pub page: &'a str,
    /// A script before the page's own.
    pub before: &'a str,
    /// A script that defines the function `use_page`.
    pub script: &'a str,
    /// Stream of a board.
    pub board: Option<TcpStream>,
}

impl Served<'_> {
    /// Uses the page, and returns what its script found.
    ///
    /// # Panics
    /// When the page does not answer in time, or its script fails.
    pub fn found(self, window: Window) -> Value {
        let page = self.page.replacen("<head>", &format!("<head>{ERRORS}{}", self.before), 1);
        let last = page.rfind("</body>").expect("a page has a body");
        let page = format!("{}{}{DRIVER}{}", &page[..last], self.script, &page[last..]);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this computer");
        let address = listener.local_addr().expect("its address");
        let (send, receive) = mpsc::channel();
        let shared = Arc::new(Shared {
            page,
            found: Mutex::new(send),
            is_unplugged: AtomicBool::new(false),
            board: self.board.inspect(|board| {
                board.set_read_timeout(Some(POLL)).expect("a timeout");
            }),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream));
            }
        });
        let folder = empty_dir(self.name);
        let mut browser = Command::new(chromium());
        browser
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--hide-scrollbars"])
            .arg(format!("--window-size={},1200", window.width))
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg("--remote-debugging-port=0");
        if window.dark {
            browser.arg("--blink-settings=preferredColorScheme=0");
        }
        browser.arg(format!("http://{address}/")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut browser = browser.spawn().expect("the browser starts");
        let found = receive.recv_timeout(LIMIT);
        browser.kill().expect("the browser can be ended");
        browser.wait().expect("the browser ends");
        let found: Value = found.unwrap_or_else(|_| panic!("{}: no findings in time", self.name));
        assert!(found.get("failed").is_none(), "{}: {found:#}", self.name);
        found
    }

    /// Wraps a page, with a script that notes errors, into another with a frame of this width, for
    /// windows as narrow as a phone.
    pub fn narrow(page: &str, width: u32) -> String {
        let page = page.replacen("<head>", &format!("<head>{ERRORS}"), 1);
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        format!(
            "<!doctype html><html><head></head><body><iframe id=\"frame\" style=\"border: 0; \
             width: {width}px; height: 1100px\" srcdoc=\"{page}\"></iframe></body></html>"
        )
    }
}

/// State of the server.
struct Shared {
    page: String,
    found: Mutex<mpsc::Sender<Value>>,
    board: Option<TcpStream>,
    is_unplugged: AtomicBool,
}

impl Shared {
    /// Answers the requests of one connection.
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        while let Some((line, body)) = request(&mut reader) {
            let mut words = line.split(' ');
            let (method, path) = (words.next(), words.next());
            let (status, content) = match (method, path) {
                (Some("GET"), Some("/")) => ("200 OK", self.page.clone().into_bytes()),
                (Some("POST"), Some("/found")) => {
                    let found = serde_json::from_slice(&body).expect("JSON of a test");
                    let _ = self.found.lock().expect("no test panics with it").send(found);
                    ("200 OK", vec![])
                }
                (Some("POST"), Some("/port")) => {
                    let mut board = self.board.as_ref().expect("a board");
                    board.write_all(&body).expect("the board takes bytes");
                    ("200 OK", vec![])
                }
                (Some("POST"), Some("/unplug")) => {
                    self.is_unplugged.store(true, Ordering::SeqCst);
                    ("200 OK", vec![])
                }
                (Some("GET"), Some("/port")) => self.received(),
                _ => ("404 Not Found", vec![]),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Length: {}\r\nCache-Control: no-store\r\n\r\n",
                content.len()
            );
            let mut stream = &stream;
            // The browser may have ended.
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content)).is_err()
            {
                return;
            }
        }
    }

    fn received(&self) -> (&'static str, Vec<u8>) {
        let mut bytes = vec![0; 4096];
        let mut board = self.board.as_ref().expect("a board");
        if self.is_unplugged.load(Ordering::SeqCst) {
            return ("410 Gone", vec![]);
        }
        match board.read(&mut bytes) {
            Ok(0) => ("410 Gone", vec![]),
            Ok(len) => {
                bytes.truncate(len);
                ("200 OK", bytes)
            }
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                ("200 OK", vec![])
            }
            Err(error) => panic!("the board: {error}"),
        }
    }
}

/// Reads a request: its first line, and its body.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|len| *len > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().to_string(), body))
}
