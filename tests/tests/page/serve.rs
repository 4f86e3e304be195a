//! `host-trainer serve`: one page at a path that nobody guesses, until Ctrl-C.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, root};

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request; returns the response.
fn ask(place: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(place).expect("the server listens");
    stream.write_all(request.as_bytes()).expect("it takes the request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response
}

#[test]
fn a_page_is_served_at_its_path_alone() {
    let folder = empty_dir("serve");
    let model = root().join("firmware/models/wine.thimble");
    let model = model.to_str().expect("a path of this test");
    let mut command = host_trainer(&folder, ["serve", model]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut server = Server(child);
    let mut lines = BufReader::new(server.0.stdout.take().expect("its output")).lines();
    let url = lines.next().expect("an address").expect("text");
    let (place, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    assert!(place.starts_with("127.0.0.1:") && path.len() == 33, "{url}");
    let get = |path: &str| ask(place, &format!("GET /{path} HTTP/1.1\r\nHost: {place}\r\n\r\n"));
    let page = get(path);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("playground-engine"));
    for other in ["", "favicon.ico", &path[1..], &format!("{path}x"), "../model.thimble"] {
        assert!(get(other).starts_with("HTTP/1.1 404"), "{other}");
    }
    assert!(ask(place, &format!("POST /{path} HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 405"));
    assert!(ask(place, "nonsense\r\n\r\n").starts_with("HTTP/1.1 405"));
    // A browser that sends nothing more does not keep others waiting.
    let _silent = TcpStream::connect(place).expect("the server listens");
    assert!(get(path).starts_with("HTTP/1.1 200"));

    let interrupt = ["-INT", &server.0.id().to_string()].map(String::from);
    Finished::of(Command::new("kill").args(interrupt)).success();
    assert!(server.0.wait().expect("it ends").success());
    assert!(TcpStream::connect(place).is_err());
}

#[test]
fn a_port_in_use_and_a_bad_model_are_named() {
    let folder = empty_dir("serve-bad");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let model = root().join("firmware/models/wine.thimble");
    let model = model.to_str().expect("a path of this test");
    Finished::of(&mut host_trainer(&folder, ["serve", model, "--port", &port]))
        .refused(1, &[port.as_str(), "in use"]);
    Finished::of(&mut host_trainer(&folder, ["serve", "none.thimble"]))
        .refused(1, &["none.thimble"]);
}
