//! `host-trainer serve`: a page that runs a model, for browsers of this computer or of this room.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anstyle::{AnsiColor, Color, Style};
use anyhow::Context;
use clap::Args;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::page::{SourceArgs, content};
use super::terminal;
use crate::page::page_html;
use crate::report::style::paint;

/// Colors of a QR code on any terminal: not all phones read inverted ones.
const CODE: Style =
    AnsiColor::Black.on_default().bg_color(Some(Color::Ansi(AnsiColor::BrightWhite)));
/// Largest head of a request in bytes.
const MAX_HEAD: u64 = 16 << 10;
/// Time that a browser has for its request, and for taking the page.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Source of the model
    #[command(flatten)]
    pub source: SourceArgs,
    /// Port to listen on [default: one that is free]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Also answer other devices of the local network, such as phones; shows a QR code
    #[arg(long)]
    pub lan: bool,
}

/// Serves the page until Ctrl-C.
pub fn run(args: &ServeArgs, quiet: bool) -> anyhow::Result<()> {
    let page = Arc::new(page_html(&content(&args.source)?));
    let address = if args.lan { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let listener = TcpListener::bind((address, args.port))
        .with_context(|| format!("port {} of {address} cannot be listened on", args.port))?;
    let port = listener.local_addr().context("the port has no address")?.port();
    let path = Arc::new(random_path()?);
    let host = if args.lan { own_address()? } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let url = format!("http://{}{path}", SocketAddr::new(host, port));
    // Also where a shell started the program in the background, without Ctrl-C.
    ctrlc::set_handler(|| std::process::exit(0)).context("Ctrl-C cannot be handled")?;
    terminal::print(&announcement(&url, args.lan, quiet)?)?;
    for stream in listener.incoming().flatten() {
        let (page, path) = (Arc::clone(&page), Arc::clone(&path));
        // A browser that breaks off concerns nobody else.
        thread::spawn(move || answer(&stream, &path, &page));
    }
    Ok(())
}

/// Text with the address, and for other devices its QR code.
fn announcement(url: &str, lan: bool, quiet: bool) -> anyhow::Result<String> {
    let mut text = format!("{url}\n");
    if lan {
        let code = QrCode::new(url).context("the address does not fit into a QR code")?;
        for line in code.render::<Dense1x2>().quiet_zone(true).build().lines() {
            text += &format!("{}\n", paint(CODE, line));
        }
    }
    if !quiet {
        text += match lan {
            true => "Devices of this network that know the address see the page. Ctrl-C stops it\n",
            false => "Open it in a browser of this computer. Ctrl-C stops it\n",
        };
    }
    Ok(text)
}

/// Returns a path that nobody guesses: 128 random bits.
fn random_path() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("/{digits}/"))
}

/// Returns the address of this computer in its local network.
fn own_address() -> anyhow::Result<IpAddr> {
    // Chooses a route and sends nothing: the address is one of documentation (RFC 5737).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    let routed = socket.and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    let address = routed.context("this computer is in no network. Leave out --lan")?;
    Ok(address.ip())
}

/// Answers one request: the page for its path, and nothing else.
fn answer(stream: &TcpStream, path: &str, page: &str) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
    let request = lines.next()?.ok()?;
    // A browser sees no answer if its request is not read to the end.
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let (status, content) = match request.split(' ').collect::<Vec<_>>().as_slice() {
        ["GET", asked, _] if *asked == path => ("200 OK", page),
        ["GET", ..] => ("404 Not Found", "There is nothing here.\n"),
        _ => ("405 Method Not Allowed", "Only GET is answered.\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: \
         nosniff\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_differ_and_the_code_is_for_other_devices() {
        let (one, other) = (random_path().unwrap(), random_path().unwrap());
        assert!(one != other && one.len() == 34, "{one} {other}");
        let here = announcement("http://127.0.0.1:80/a/", false, false).unwrap();
        assert!(here.contains("this computer") && !here.contains('█'), "{here}");
        let there = announcement("http://192.168.0.2:80/a/", true, true).unwrap();
        assert!(there.contains('█') && there.starts_with("http://192.168.0.2:80/a/\n"), "{there}");
    }
}
