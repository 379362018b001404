//! The network, or whatever is in between.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::channel;

use sbi::sandbox::http::{Answer, Request, Weather};

use super::{finishes, init};
use crate::support::room::{ANSWERS, Room, is_write, ran};

fn broken(status: u16) -> Weather {
    Weather::Instead(Answer::new(status, "application/json", "{\"message\":\"broken\"}"))
}

#[test]
fn nobody_listening_names_the_address() {
    let room = Room::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for variable in ["AWS_ENDPOINT_URL", "GITHUB_API_URL", "SBI_REGISTRY_MIRROR"] {
        let mut command = room.command(&[&["init", "--yes"], ANSWERS].concat());
        command.env(variable, format!("http://{free}"));
        ran(command).refused(&room, 1, &["127.0.0.1"]);
    }
}

#[test]
fn reads_outlive_a_passing_fault_of_github() {
    let room = Room::new();
    let seen = std::sync::atomic::AtomicUsize::new(0);
    room.github.server().set_forecast(move |_, request: &Request| {
        let first = !is_write(request) && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if first { broken(502) } else { Weather::Fair }
    });
    init(&room, &[]).exited(0);
}

#[test]
fn what_was_created_without_an_answer_is_never_created_twice() {
    for path in ["/user/repos", "/releases", "/git/trees", "/git/commits"] {
        let room = Room::new();
        room.github.server().set_forecast(move |_, request| {
            match request.method == "POST" && request.path.ends_with(path) {
                true => Weather::ResetAfter,
                false => Weather::Fair,
            }
        });
        // A release is told by its notes; nobody sees the others before the next run looks.
        init(&room, &[]).exited(i32::from(path != "/releases"));
        let log = room.github.server().log();
        let sent = log.iter().filter(|e| e.request.method == "POST" && e.request.path.ends_with(path)).count();
        assert_eq!(sent, 1, "{path} was sent again");
        finishes(&room, &[]);
    }
}

/// The proxy answers by itself: that the request arrives there is the point.
#[test]
fn a_proxy_is_used_for_both_sides_and_registries_and_loopback_is_left_out() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let (arrived, requests) = channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).unwrap_or(0);
            let line = String::from_utf8_lossy(&buffer[..count]).lines().next().unwrap_or_default().to_owned();
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if arrived.send(line).is_err() {
                return;
            }
        }
    });
    let room = Room::new();
    let mut command = room.command(&[&["init", "--yes"], ANSWERS].concat());
    command.env("HTTPS_PROXY", format!("http://{address}")).env_remove("NO_PROXY");
    command.env("GITHUB_API_URL", "https://github.acme.example/api/v3").env("GH_ENTERPRISE_TOKEN", "ghp_x");
    command.env_remove("AWS_ENDPOINT_URL");
    ran(command).refused(&room, 1, &[]);
    let seen: Vec<String> = requests.try_iter().collect();
    for host in ["CONNECT github.acme.example:443", "CONNECT sts.eu-central-1.amazonaws.com:443"] {
        assert!(seen.iter().any(|line| line.starts_with(host)), "{host} is not in {seen:?}");
    }
    // A registry is asked when both sides have answered, which are on loopback here.
    let mut command = room.command(&[&["init", "--yes"], ANSWERS].concat());
    command.env("HTTPS_PROXY", format!("http://{address}")).env_remove("SBI_REGISTRY_MIRROR");
    ran(command).refused(&room, 1, &["could not look up the digest of", "`--offline`"]);
    let seen: Vec<String> = requests.try_iter().collect();
    for host in ["CONNECT gcr.io:443", "CONNECT registry-1.docker.io:443"] {
        assert!(seen.iter().any(|line| line.starts_with(host)), "{host} is not in {seen:?}");
    }
    // With the stand-ins on loopback the same proxy is not asked.
    let mut command = room.command(&[&["init", "--yes", "--no-watch"], ANSWERS].concat());
    command.env("HTTPS_PROXY", format!("http://{address}")).env("HTTP_PROXY", format!("http://{address}"));
    ran(command).exited(0);
    assert_eq!(requests.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
}
