//! Download of MNIST and Fashion-MNIST: resumable, with SHA-256 checks and atomic renames.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use thimble_support::atomic_file;
use thimble_support::folder_lock::{FolderLock, LockError};
use thimble_support::foreign_text;
use ureq::Agent;

use super::mnist::{self, FASHION_MNIST_FILES, MNIST_FILES, MnistFile};
use super::{Error, Source};

/// URL of a folder with the four gzipped files.
pub type Mirror = String;

/// Default mirrors of MNIST, in order.
const MNIST_MIRRORS: [&str; 2] = [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
];

/// Default mirrors of Fashion-MNIST, from its authors.
const FASHION_MNIST_MIRRORS: [&str; 2] = [
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];

/// Requests per mirror and file. Each resumes where the previous one stopped.
const TRIES: usize = 3;

/// Largest accepted download. A gzipped file of MNIST has 10 MB.
const MOST_BYTES: u64 = 64 << 20;

/// Receiver of download events, for a progress bar.
pub trait FetchProgress {
    /// The file already exists with the right content.
    fn present(&mut self, path: &Path);
    /// The download of a file starts.
    fn start(&mut self, file: &str, mirror: &str, received: u64, total: Option<u64>);
    /// This many bytes of the file have arrived.
    fn received(&mut self, bytes: u64);
    /// A request failed. Another one may follow.
    fn failed(&mut self, attempt: &str);
    /// The file is complete, checked and renamed.
    fn done(&mut self, path: &Path);
}

/// Downloads the files of MNIST or Fashion-MNIST that are missing in `folder`.
///
/// Bytes are written to a `.part` file, which a later call resumes. A file is renamed to its final
/// name only if its unpacked content has the right SHA-256. A second call for the same folder waits
/// for the first one.
///
/// # Errors
/// [`Error::Download`] with the failure at each mirror, [`Error::File`] if the folder cannot be
/// written.
pub fn fetch(
    source: &Source,
    folder: &Path,
    mirrors: &[Mirror],
    progress: &mut dyn FetchProgress,
) -> Result<(), Error> {
    let (files, known) = match source {
        Source::FashionMnist => (&FASHION_MNIST_FILES, FASHION_MNIST_MIRRORS),
        _ => (&MNIST_FILES, MNIST_MIRRORS),
    };
    let known = known.map(String::from);
    let mirrors = if mirrors.is_empty() { known.as_slice() } else { mirrors };
    fetch_files(folder, mirrors, files, progress)
}

fn fetch_files(
    folder: &Path,
    mirrors: &[Mirror],
    files: &[MnistFile],
    progress: &mut dyn FetchProgress,
) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder, "cannot be created"))?;
    let _lock = lock(folder, progress)?;
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_recv_body(Some(Duration::from_secs(600)))
        .http_status_as_error(false)
        .build()
        .into();
    for &file in files {
        match mnist::find(folder, file) {
            Some(path) if check(&path, file).is_ok() => {
                progress.present(&path);
            }
            _ => {
                let path = Download { agent: &agent, folder, file }.run(mirrors, progress)?;
                progress.done(&path);
            }
        }
    }
    Ok(())
}

/// Locks the folder against other processes, and waits for the one that holds the lock.
fn lock(folder: &Path, progress: &mut dyn FetchProgress) -> Result<FolderLock, Error> {
    let mut waits = false;
    loop {
        match FolderLock::take(folder, "fetch.lock") {
            Ok((lock, _)) => return Ok(lock),
            Err(LockError::Held(process)) => {
                if !waits {
                    let folder = foreign_text::path(folder);
                    progress.failed(&format!(
                        "{folder}: process {process} fetches into it; waiting until it has ended"
                    ));
                }
                waits = true;
                thread::sleep(Duration::from_millis(100));
            }
            Err(LockError::Io(error)) => {
                return Err(Error::file(folder, "cannot be written")(error));
            }
        }
    }
}

/// The download of one file.
struct Download<'a> {
    agent: &'a Agent,
    folder: &'a Path,
    file: MnistFile,
}

impl Download<'_> {
    fn run(&self, mirrors: &[Mirror], progress: &mut dyn FetchProgress) -> Result<PathBuf, Error> {
        let part = self.folder.join(format!("{}.gz.part", self.file.name));
        let mut attempts = Vec::new();
        for mirror in mirrors {
            for _ in 0..TRIES {
                let problem = match self.request(mirror, &part, progress)? {
                    Outcome::Complete => match check(&part, self.file) {
                        Ok(()) => return self.place(&part),
                        Err(problem) => {
                            // The content is wrong, so the next request starts again.
                            fs::remove_file(&part)
                                .map_err(Error::file(&part, "cannot be removed"))?;
                            problem
                        }
                    },
                    Outcome::Cut(problem) => problem,
                    Outcome::Refused(problem) => {
                        let attempt = format!("{}: {problem}", self.url(mirror));
                        progress.failed(&attempt);
                        attempts.push(attempt);
                        break;
                    }
                };
                let attempt = format!("{}: {problem}", self.url(mirror));
                progress.failed(&attempt);
                attempts.push(attempt);
            }
        }
        Err(Error::Download {
            file: format!("{}.gz", self.file.name),
            folder: self.folder.to_path_buf(),
            attempts,
        })
    }

    fn url(&self, mirror: &str) -> String {
        let separator = if mirror.ends_with('/') { "" } else { "/" };
        format!("{mirror}{separator}{}.gz", self.file.name)
    }

    /// Makes one request and appends the received bytes to `part`.
    fn request(
        &self,
        mirror: &str,
        part: &Path,
        progress: &mut dyn FetchProgress,
    ) -> Result<Outcome, Error> {
        let have = fs::metadata(part).map_or(0, |metadata| metadata.len());
        let mut request = self.agent.get(self.url(mirror));
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Outcome::Refused(error.to_string())),
        };
        let start = match response.status().as_u16() {
            200 => 0,
            206 if starts_at(response.headers().get("content-range"), have) => have,
            // The part file is at least as long as the whole file, so its content is checked.
            416 => return Ok(Outcome::Complete),
            206 => return Ok(Outcome::Refused("answers with another range".to_string())),
            status => return Ok(Outcome::Refused(format!("answers with status {status}"))),
        };
        let total = response.body().content_length().map(|length| start + length);
        let mut file = OpenOptions::new()
            .create(true)
            .append(start > 0)
            .truncate(start == 0)
            .write(true)
            .open(part)
            .map_err(Error::file(part, "cannot be written"))?;
        progress.start(self.file.name, mirror, start, total);
        let mut body = response.body_mut().as_reader();
        let (mut received, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    file.write_all(&buffer[..count])
                        .map_err(Error::file(part, "cannot be written"))?;
                    received += count as u64;
                    progress.received(received);
                    if received > MOST_BYTES {
                        let problem = format!("sends more than {MOST_BYTES} bytes");
                        return Ok(Outcome::Refused(problem));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Ok(Outcome::Cut(format!("cut off after {received} bytes ({error})")));
                }
            }
        }
        file.sync_all().map_err(Error::file(part, "cannot be written"))?;
        match total {
            Some(total) if received != total => {
                Ok(Outcome::Cut(format!("cut off after {received} of {total} bytes")))
            }
            _ => Ok(Outcome::Complete),
        }
    }

    /// Renames the checked file to its final name, atomically.
    fn place(&self, part: &Path) -> Result<PathBuf, Error> {
        let path = self.folder.join(format!("{}.gz", self.file.name));
        fs::rename(part, &path).map_err(Error::file(&path, "cannot be written"))?;
        atomic_file::sync_folder(self.folder);
        // A wrong unpacked file of the same name would take precedence.
        let plain = self.folder.join(self.file.name);
        if plain.is_file() {
            fs::remove_file(&plain).map_err(Error::file(&plain, "cannot be removed"))?;
        }
        Ok(path)
    }
}

/// Result of a request.
enum Outcome {
    /// All bytes have arrived.
    Complete,
    /// Some bytes have arrived. Another request may complete them.
    Cut(String),
    /// Another request to the same mirror would fail, too.
    Refused(String),
}

/// Returns `true` for a `Content-Range` header of the form `bytes START-…`.
fn starts_at(content_range: Option<&ureq::http::HeaderValue>, start: u64) -> bool {
    content_range
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .is_some_and(|(first, _)| first.trim().parse() == Ok(start))
}

/// Checks the SHA-256 of a file's content, unpacked if it is gzipped.
fn check(path: &Path, file: MnistFile) -> Result<(), String> {
    let content = unpacked(path).map_err(|error| format!("it cannot be unpacked ({error})"))?;
    let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    match hash == file.sha256 {
        true => Ok(()),
        false => Err(format!(
            "its content is not that of the dataset (SHA-256 {hash}, expected {})",
            file.sha256
        )),
    }
}

/// Reads a file's content, unpacked if it is gzipped.
fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    let content = fs::read(path)?;
    if !content.starts_with(&[0x1f, 0x8b]) {
        return Ok(content);
    }
    let mut plain = Vec::new();
    GzDecoder::new(content.as_slice()).take(1 << 30).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::io::BufReader;
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Reaction of the server to one request.
    #[derive(Clone, Copy)]
    enum Answer {
        /// Sends the range that was asked for.
        Whole,
        /// States the whole length, sends so many bytes, and hangs up.
        Short(usize),
        /// Sends other bytes than the file has.
        Wrong,
        /// Knows no such file.
        NotFound,
    }

    /// A server on loopback that answers its requests in this order, then with 500.
    struct Server {
        url: String,
        requests: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn start(content: Vec<u8>, answers: &[Answer]) -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/mnist/", listener.local_addr().unwrap());
            let requests = Arc::new(Mutex::new(Vec::new()));
            let (log, answers) = (Arc::clone(&requests), answers.to_vec());
            thread::spawn(move || {
                for answer in answers {
                    let Ok((stream, _)) = listener.accept() else { return };
                    serve(stream, &content, answer, &log);
                }
            });
            Server { url, requests }
        }

        fn requests(&self) -> Vec<String> {
            self.requests.lock().unwrap().clone()
        }
    }

    fn serve(mut stream: TcpStream, content: &[u8], answer: Answer, log: &Mutex<Vec<String>>) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let request = lines.next().unwrap().unwrap();
        let mut start = 0;
        for line in lines.map(Result::unwrap).take_while(|line| !line.is_empty()) {
            if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                start = range.trim_end_matches('-').parse().unwrap();
            }
        }
        let path = request.split(' ').nth(1).unwrap().to_string();
        log.lock().unwrap().push(format!("{path} from {start}"));
        let (status, range) = match start {
            0 => ("200 OK", String::new()),
            _ => (
                "206 Partial Content",
                format!("Content-Range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len()),
            ),
        };
        let rest = &content[start..];
        let head = |status: &str, length: usize| {
            format!(
                "HTTP/1.1 {status}\r\n{range}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            )
        };
        let (head, body) = match answer {
            Answer::Whole => (head(status, rest.len()), rest.to_vec()),
            Answer::Short(length) => (head(status, rest.len()), rest[..length].to_vec()),
            Answer::Wrong => (head(status, 5), b"wrong".to_vec()),
            Answer::NotFound => (head("404 Not Found", 0), Vec::new()),
        };
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    }

    struct Silent;

    impl FetchProgress for Silent {
        fn present(&mut self, _: &Path) {}
        fn start(&mut self, _: &str, _: &str, _: u64, _: Option<u64>) {}
        fn received(&mut self, _: u64) {}
        fn failed(&mut self, _: &str) {}
        fn done(&mut self, _: &Path) {}
    }

    /// A gzipped file, and what it must be when it has arrived.
    fn sample() -> (Vec<u8>, MnistFile) {
        let plain: Vec<u8> = (0..50_000_u32).map(|i| (i * i / 7) as u8).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).unwrap();
        let hash: String = Sha256::digest(&plain).iter().map(|b| format!("{b:02x}")).collect();
        let file = MnistFile { name: "sample-ubyte", sha256: hash.leak() };
        (encoder.finish().unwrap(), file)
    }

    fn files_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_short_read_is_continued_where_it_stopped() {
        let (content, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(content.clone(), &[Answer::Short(1000), Answer::Whole]);
        fetch_files(folder.path(), std::slice::from_ref(&server.url), &[file], &mut Silent)
            .unwrap();
        assert_eq!(
            server.requests(),
            ["/mnist/sample-ubyte.gz from 0", "/mnist/sample-ubyte.gz from 1000"]
        );
        assert_eq!(files_in(folder.path()), ["sample-ubyte.gz"]);
        assert_eq!(fs::read(folder.path().join("sample-ubyte.gz")).unwrap(), content);
        // A file that is there and right is not asked for again: the server would not answer.
        fetch_files(folder.path(), &[server.url], &[file], &mut Silent).unwrap();
    }

    #[test]
    fn two_at_once_both_end_well_and_download_once() {
        let (content, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(content.clone(), &[Answer::Whole, Answer::NotFound]);
        let mirrors = [server.url.clone()];
        thread::scope(|scope| {
            let fetches = [(); 2].map(|()| {
                let fetch = || fetch_files(folder.path(), &mirrors, &[file], &mut Silent);
                scope.spawn(fetch)
            });
            fetches.into_iter().for_each(|fetch| fetch.join().unwrap().unwrap());
        });
        assert_eq!(server.requests().len(), 1);
        assert_eq!(files_in(folder.path()), ["sample-ubyte.gz"]);
        assert_eq!(fs::read(folder.path().join("sample-ubyte.gz")).unwrap(), content);
    }

    #[test]
    fn a_later_call_continues_what_an_earlier_one_left() {
        let (content, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let cut = Server::start(content.clone(), &[Answer::Short(10), Answer::Short(10)]);
        assert!(fetch_files(folder.path(), &[cut.url], &[file], &mut Silent).is_err());
        assert_eq!(files_in(folder.path()), ["sample-ubyte.gz.part"]);
        let server = Server::start(content, &[Answer::Whole]);
        fetch_files(folder.path(), std::slice::from_ref(&server.url), &[file], &mut Silent)
            .unwrap();
        assert_eq!(server.requests(), ["/mnist/sample-ubyte.gz from 20"]);
        assert_eq!(files_in(folder.path()), ["sample-ubyte.gz"]);
    }

    #[test]
    fn a_404_goes_on_to_the_next_mirror_at_once() {
        let (content, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let first = Server::start(content.clone(), &[Answer::NotFound]);
        let second = Server::start(content, &[Answer::Whole]);
        let mirrors = [first.url.clone(), second.url.clone()];
        fetch_files(folder.path(), &mirrors, &[file], &mut Silent).unwrap();
        assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    }

    #[test]
    fn a_wrong_hash_leaves_nothing_that_train_would_find() {
        let (content, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let first = Server::start(content.clone(), &[Answer::Wrong; TRIES]);
        let second = Server::start(content, &[Answer::NotFound]);
        let mirrors = [first.url.clone(), second.url.clone()];
        let error = fetch_files(folder.path(), &mirrors, &[file], &mut Silent).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("its content is not that of the dataset"), "{message}");
        assert!(message.contains("status 404"), "{message}");
        assert!(message.contains(&first.url) && message.contains(&second.url), "{message}");
        assert!(files_in(folder.path()).is_empty());
    }

    #[test]
    fn a_server_that_is_not_there_is_reported() {
        let (_, file) = sample();
        let folder = tempfile::tempdir().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mirrors = [format!("http://{gone}/")];
        let error = fetch_files(folder.path(), &mirrors, &[file], &mut Silent).unwrap_err();
        assert!(error.to_string().contains("sample-ubyte.gz could not be downloaded"));
    }
}
