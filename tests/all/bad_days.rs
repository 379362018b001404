//! Bad input and bad days, through the binary: each is named, says what to type next, ends with its exit code, and
//! where it can be known before, nothing has been changed on either side. Whatever was changed, the next run finishes.

mod aws_side;
mod github_side;
mod input;
mod network;

use sbi::sandbox::http::{Request, Server, Weather};

use crate::support::delivered_key::delivered_key;
use crate::support::room::{ANSWERS, REPOSITORY, Ran, Room};

/// `sbi init` with every answer, some of them replaced. It does not follow the workflow run.
fn init_with(room: &Room, replaced: &[(&str, &str)], flags: &[&str]) -> Ran {
    let answers: Vec<&str> = ANSWERS
        .chunks(2)
        .flat_map(|pair| {
            let value = replaced.iter().find(|(flag, _)| *flag == pair[0]).map_or(pair[1], |(_, value)| value);
            [pair[0], value]
        })
        .collect();
    room.sbi(&[&["init", "--yes", "--no-watch"], answers.as_slice(), flags].concat())
}

fn init(room: &Room, flags: &[&str]) -> Ran {
    init_with(room, &[], flags)
}

/// Every change that either side was asked for, granted or not.
fn changes(room: &Room) -> Vec<String> {
    let reading = ["Get", "Describe", "List", "Simulate"];
    let aws = room.aws.performed().into_iter().map(|call| call.action);
    let aws = aws.filter(|action| {
        let operation = action.split(':').nth(1).unwrap_or_default();
        !reading.iter().any(|prefix| operation.starts_with(prefix))
    });
    let github = room.github.server().log().into_iter().map(|exchange| exchange.request);
    let github = github.filter(is_change).map(|request| format!("{} {}", request.method, request.path));
    aws.chain(github).collect()
}

fn is_change(request: &Request) -> bool {
    match request.path.as_str() {
        "/graphql" => String::from_utf8_lossy(&request.body).contains("mutation"),
        _ => request.method != "GET",
    }
}

/// From now on every exchange of this server goes well.
fn fair(server: &Server) {
    server.set_forecast(|_, _| Weather::Fair);
}

impl Ran {
    /// A refusal with this exit code that names all of this, says what to do, and came before every change.
    #[track_caller]
    fn refused(self, room: &Room, code: i32, named: &[&str]) -> Self {
        let ran = self.failed(code, named);
        assert_eq!(changes(room), Vec::<String>::new(), "changed before it was refused:\n{}", ran.stderr);
        ran
    }

    /// A failure with this exit code that names all of this and says what to do.
    #[track_caller]
    fn failed(self, code: i32, named: &[&str]) -> Self {
        let ran = self.exited(code);
        for text in ["error: ", "\nhelp: "].iter().chain(named) {
            // The terminal's width breaks lines, so white space does not count.
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat(&ran.stderr).contains(&flat(text)), "{text:?} is not in\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }
}

/// After the bad day: a second run with the same command finishes, a third changes nothing, and there is one of
/// everything.
#[track_caller]
fn finishes(room: &Room, flags: &[&str]) {
    fair(room.aws.server());
    fair(room.github.server());
    init(room, flags).exited(0);
    settled(room, flags.contains(&"access-key"));
}

#[track_caller]
fn settled(room: &Room, by_key: bool) {
    let before = changes(room).len();
    room.sbi(&["plan", "--check"]).exited(0);
    init(room, &[]).exited(0);
    assert_eq!(changes(room)[before..], Vec::<String>::new(), "a finished set-up was changed");

    let name = "sbi-publish-acme-bases".to_owned();
    let (users, roles) = (room.aws.user_names(), room.aws.role_names());
    let (wanted, other) = if by_key { (users, roles) } else { (roles, users) };
    let reader = (!by_key).then(|| "sbi-read-acme-bases".to_owned());
    assert_eq!((wanted, other.len()), ([name.clone()].into_iter().chain(reader).collect(), 0));
    assert_eq!(room.aws.repository_names().len(), 1);
    let keys = room.aws.access_keys(&name);
    assert_eq!(keys.iter().filter(|key| key.active).count(), usize::from(by_key));
    assert_eq!(keys.len(), usize::from(by_key), "an orphan key");
    if by_key {
        assert_eq!(delivered_key(room), Ok(Some(keys[0].id.clone())));
    }
    let repository = room.github.repository(REPOSITORY).unwrap();
    let releases: Vec<&str> = repository.releases.iter().map(|release| release.tag.as_str()).collect();
    assert_eq!(releases, ["v1.0.0"]);
}
