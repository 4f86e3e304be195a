//! Web server on the loopback address with configurable faults.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Response of the server to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The requested bytes.
    Whole,
    /// All bytes from the first, regardless of the range: a server that cannot resume.
    FromStart,
    /// This number of bytes of the announced length, then a closed connection.
    Cut(usize),
    /// The right length, with one byte changed in its middle.
    Damaged,
    /// Status 404.
    NotFound,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// File name: the last part of the path.
    pub name: String,
    /// First byte of the requested range; 0 without a `Range`.
    pub from: usize,
}

/// Selects a response from the request and the number of earlier requests for the file.
type Behavior = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// The running server; dropping it ends it.
pub struct Mirror {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    /// Serves `folder`, with responses selected by `behavior`.
    pub fn start(
        folder: &Path,
        behavior: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Mirror {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let ended = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let service = Arc::new(Service {
            folder: folder.into(),
            behavior: Box::new(behavior),
            requests: requests.clone(),
        });
        let stop = ended.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // A client that disconnects is not an error of this server.
                let service = service.clone();
                std::thread::spawn(move || stream.and_then(|stream| service.serve(stream)));
            }
        });
        Mirror { address, requests, ended, thread: Some(thread) }
    }

    /// Returns the base address of the files.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns all requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The thread waits for a connection: this is one.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Service {
    folder: PathBuf,
    behavior: Box<Behavior>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Service {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read_request(&stream)? else {
            return Ok(());
        };
        let earlier = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(request.clone());
            requests.iter().filter(|other| other.name == request.name).count() - 1
        };
        let answer = (self.behavior)(&request, earlier);
        let file = std::fs::read(self.folder.join(&request.name)).ok();
        let (Some(mut file), true) = (file, answer != Answer::NotFound) else {
            return stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        };
        if answer == Answer::Damaged {
            let middle = file.len() / 2;
            file[middle] ^= 1;
        }
        let total = file.len();
        let from = if answer == Answer::FromStart { 0 } else { request.from };
        if from > 0 && from >= total {
            let head = format!(
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return stream.write_all(head.as_bytes());
        }
        let body = &file[from..];
        let status = if from > 0 {
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}", total - 1)
        } else {
            "200 OK\r\nAccept-Ranges: bytes".into()
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/octet-stream\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        let sent = match answer {
            Answer::Cut(bytes) => bytes.min(body.len()),
            _ => body.len(),
        };
        stream.write_all(&body[..sent])
    }
}

/// The request of a connection; none if it was closed first.
fn read_request(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else {
        return Ok(None);
    };
    let path = first.split(' ').nth(1).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().to_string();
    let mut from = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.split('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
    }
    Ok(Some(Request { name, from }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn get(mirror: &Mirror, request: &str) -> String {
        let mut stream = TcpStream::connect(mirror.address).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("the server closes the connection");
        String::from_utf8_lossy(&reply).into()
    }

    #[test]
    fn a_mirror_serves_ranges_and_misbehaves_on_request() {
        let folder = crate::workspace::empty_dir("mirror");
        crate::workspace::write(folder.join("file"), "0123456789");
        let mirror = Mirror::start(&folder, |_, earlier| match earlier {
            1 => Answer::Cut(3),
            2 => Answer::Damaged,
            3 => Answer::NotFound,
            _ => Answer::Whole,
        });
        let plain = "GET /a/file HTTP/1.1\r\nHost: x\r\n\r\n";
        let whole = get(&mirror, plain);
        assert!(whole.starts_with("HTTP/1.1 200 OK") && whole.ends_with("\r\n\r\n0123456789"));
        let cut = get(&mirror, plain);
        assert!(cut.contains("Content-Length: 10") && cut.ends_with("\r\n\r\n012"));
        assert!(get(&mirror, plain).ends_with("\r\n\r\n0123446789"));
        assert!(get(&mirror, plain).starts_with("HTTP/1.1 404"));
        let rest = get(&mirror, "GET /file HTTP/1.1\r\nRange: bytes=7-\r\n\r\n");
        assert!(rest.contains("Content-Range: bytes 7-9/10") && rest.ends_with("\r\n\r\n789"));
        assert_eq!(mirror.requests()[4], Request { name: "file".into(), from: 7 });
        assert!(get(&mirror, "GET /none HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    }
}
