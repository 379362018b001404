//! The one issue: what is told, to whom it can do no harm, and when it opens, changes and closes.

use std::path::Path;

use serde_json::{Value, json};

use super::{digest_of, night as run_of};
use crate::templates::public;
use crate::templates::runner::Run;

const GATHER: &str = "issue: Gather what was found";
const WRITE: &str = "issue: Write the issue";
const KEEP: &str = "issue: Open, update or close the issue";

/// A release as `releases.json` has it, with one image for linux/amd64.
fn release(image: &str, tag: &str) -> Value {
    json!({"image": image, "tag": tag, "digest": digest_of("a"), "manifests": {"amd64": digest_of("b")}})
}

fn finding(id: &str, severity: &str, fixed: &str) -> Value {
    json!({
        "VulnerabilityID": id, "PkgName": "tzdata", "InstalledVersion": "2026a-0", "FixedVersion": fixed,
        "Severity": severity, "Title": "Something is wrong",
    })
}

/// A runner of the job `issue`: releases, what each scan found, and the issues that there are.
fn telling(releases: &[Value], found: &[(&str, Value)]) -> Run {
    let mut run = run_of(&public());
    let write = |path: &str, value: &Value| {
        let path = run.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    };
    write("releases.json", &json!(releases));
    for (image, scan) in found {
        write(&format!("found/evidence-{image}-amd64/scanned.json"), &json!({"digest": digest_of("b")}));
        write(&format!("found/evidence-{image}-amd64/trivy.json"), scan);
    }
    tell(&mut run);
    run
}

/// A GitHub without any issue, and a token for it.
pub(in crate::templates) fn tell(run: &mut Run) {
    let (issues, posted) = (run.at("issues"), run.at("posted"));
    std::fs::create_dir_all(&posted).unwrap();
    std::fs::write(&issues, "[]").unwrap();
    run.set("GH_ISSUES", &issues).set("GH_POSTED", &posted);
    run.know("github.token", "ghs_very_secret");
}

fn scan_of(findings: &[Value]) -> Value {
    json!({"Results": [{"Packages": [{}], "Vulnerabilities": findings}]})
}

fn wanted(run: &mut Run) -> Value {
    run.step(GATHER).passes();
    run.step(WRITE).passes();
    run.json("work/wanted.json")
}

/// What was sent to GitHub: method and path, and the body.
pub(in crate::templates) fn sent(run: &Run) -> Vec<(String, Value)> {
    let mut files: Vec<_> = std::fs::read_dir(run.at("posted")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let (call, body) = text.split_once('\n').unwrap();
        (call.to_owned(), serde_json::from_str(body).unwrap())
    };
    files.iter().map(|path| read(path)).collect()
}

pub(in crate::templates) fn issue(number: u32, state: &str, author: &str, body: &str) -> Value {
    json!({"number": number, "state": state, "user": {"login": author}, "body": body, "title": "t"})
}

pub(in crate::templates) const BOT: &str = "github-actions[bot]";

fn night(run: &mut Run, issues: &[Value]) -> Vec<(String, Value)> {
    std::fs::write(run.at("issues"), json!(issues).to_string()).unwrap();
    wanted(run);
    run.step(KEEP).passes();
    let calls = sent(run);
    for path in std::fs::read_dir(run.at("posted")).unwrap() {
        std::fs::remove_file(path.unwrap().path()).unwrap();
    }
    calls
}

fn one_finding() -> Run {
    let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2026b-0"), finding("CVE-2026-2", "CRITICAL", "")]);
    telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)])
}

#[test]
fn a_finding_with_a_fix_opens_one_issue_that_says_what_to_do() {
    let calls = night(&mut one_finding(), &[]);
    let [(call, request)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call, "POST repos/acme/base-images/issues");
    insta::assert_snapshot!("rescan_issue", request["body"].as_str().unwrap());
}

#[test]
fn what_has_no_fix_or_is_of_low_severity_opens_no_issue() {
    let scan = scan_of(&[finding("CVE-2026-2", "CRITICAL", ""), finding("CVE-2026-3", "MEDIUM", "2")]);
    let mut run = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    assert_eq!(night(&mut run, &[]), []);
    assert!(run.read("summary").contains("Reasons for a new release: 0."));
}

#[test]
fn the_second_night_changes_nothing_and_a_new_finding_is_told_once() {
    let mut run = one_finding();
    let body = night(&mut run, &[])[0].1["body"].as_str().unwrap().to_owned();
    assert_eq!(night(&mut run, &[issue(7, "open", BOT, &body)]), [], "the same");
    // GitHub's editor ends lines its own way.
    let edited = body.replace('\n', "\r\n");
    assert_eq!(night(&mut run, &[issue(7, "open", BOT, &edited)]), [], "the same but for line ends");

    let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2026b-0"), finding("CVE-2026-9", "HIGH", "3")]);
    let mut later = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    let calls = night(&mut later, &[issue(7, "open", BOT, &body)]);
    let [(comment, text), (update, change)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(comment, "POST repos/acme/base-images/issues/7/comments");
    assert_eq!(text["body"], "New since the last scan: `static-go/CVE-2026-9`.");
    assert_eq!(update, "PATCH repos/acme/base-images/issues/7");
    let body = change["body"].as_str().unwrap();
    assert!(body.contains("CVE-2026-9") && change["state"] == "open", "{change}");
    assert_eq!(night(&mut later, &[issue(7, "open", BOT, body)]), []);

    // The next release mended one: the text follows, nobody is told.
    let mut newer = one_finding();
    let calls = night(&mut newer, &[issue(7, "open", BOT, body)]);
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(!calls[0].1["body"].as_str().unwrap().contains("CVE-2026-9"));
}

#[test]
fn the_issue_is_closed_when_nothing_is_left_and_opens_again() {
    let mut run = one_finding();
    let body = night(&mut run, &[])[0].1["body"].as_str().unwrap().to_owned();
    let mut clean = telling(&[release("static-go", "v1.2.4")], &[("static-go", scan_of(&[]))]);
    let calls = night(&mut clean, &[issue(7, "open", BOT, &body)]);
    assert_eq!(calls[1].0, "PATCH repos/acme/base-images/issues/7");
    assert_eq!(calls[1].1["state"], "closed");
    let closed = calls[1].1["body"].as_str().unwrap().to_owned();
    assert_eq!(night(&mut clean, &[issue(7, "closed", BOT, &closed)]), []);

    let calls = night(&mut run, &[issue(7, "closed", BOT, &closed)]);
    assert_eq!(calls[1].1["state"], "open", "{calls:?}");
    // A person who closed it with the findings in it knows them.
    assert_eq!(night(&mut run, &[issue(7, "closed", BOT, &body)]), []);
}

#[test]
fn an_issue_that_somebody_else_opened_is_not_taken_for_ours() {
    let mut run = one_finding();
    let body = night(&mut run, &[])[0].1["body"].as_str().unwrap().to_owned();
    let mut pull = issue(3, "open", BOT, &body);
    pull["pull_request"] = json!({});
    let others = [issue(1, "open", "mallory", &body), pull, issue(4, "open", BOT, "another workflow's")];
    let calls = night(&mut run, &others);
    assert_eq!(calls[0].0, "POST repos/acme/base-images/issues", "{calls:?}");
}

#[test]
fn a_scan_that_is_missing_keeps_the_issue_open_and_what_is_known() {
    let mut run = one_finding();
    let body = night(&mut run, &[])[0].1["body"].as_str().unwrap().to_owned();
    // No evidence at all: nothing is known, so nothing is told and nothing is closed.
    let mut blind = telling(&[release("static-go", "v1.2.3")], &[]);
    assert_eq!(night(&mut blind, &[issue(7, "open", BOT, &body)]), []);
    // Evidence of other bytes is none.
    let mut other = one_finding();
    let path = other.work().join("found/evidence-static-go-amd64/scanned.json");
    std::fs::write(path, json!({"digest": digest_of("c")}).to_string()).unwrap();
    assert_eq!(wanted(&mut other)["complete"], false);

    let scan = scan_of(&[finding("CVE-2026-7", "HIGH", "3")]);
    let both = [release("static-go", "v1.2.3"), release("base-go", "v2.0.0")];
    let mut half = telling(&both, &[("base-go", scan)]);
    let calls = night(&mut half, &[issue(7, "open", BOT, &body)]);
    let text = calls[1].1["body"].as_str().unwrap();
    assert!(text.contains("**Not scanned in the last run:** static-go for linux/amd64."), "{text}");
    assert!(text.contains("static-go/CVE-2026-1"), "what was told stays told: {text}");
}

#[test]
fn end_of_life_and_the_end_of_support_are_reasons_of_their_own() {
    let mut scan = scan_of(&[]);
    scan["Metadata"] = json!({"OS": {"Family": "debian", "EOSL": true}});
    let mut run = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    let wanted_now = wanted(&mut run);
    assert_eq!(wanted_now["keys"], json!(["static-go/end-of-life"]));
    assert!(wanted_now["body"].as_str().unwrap().contains("gets no more fixes"));

    let days = |days: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let day = chrono_date(i64::try_from(now / 86_400).unwrap() + days);
        let mut run = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan_of(&[]))]);
        run.put_in_place("SUPPORT_ENDS", &format!("static-go={day}"));
        (wanted(&mut run), day)
    };
    assert_eq!(days(92).0["keys"], json!([]));
    let (soon, day) = days(89);
    assert_eq!(soon["keys"], json!(["static-go/end-of-support"]));
    assert!(soon["body"].as_str().unwrap().contains(&format!("Support ends on {day}.")), "{soon}");
    let (over, day) = days(-1);
    assert!(over["body"].as_str().unwrap().contains(&format!("Support ended on {day}.")), "{over}");
}

/// The date of a day since 1970, as `date` knows it.
fn chrono_date(day: i64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d", "-d", &format!("@{}", day * 86_400)])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_secret_in_an_image_is_told_without_saying_which() {
    let mut scan = scan_of(&[]);
    scan["Results"][0]["Secrets"] =
        json!([{"RuleID": "github-pat", "Severity": "CRITICAL", "Match": "ghp_abcdef", "Title": "GitHub PAT"}]);
    let wanted = wanted(&mut telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]));
    assert_eq!(wanted["keys"], json!(["static-go/secret"]));
    let body = wanted["body"].as_str().unwrap();
    assert!(!body.contains("ghp_abcdef") && !body.contains("github-pat"), "{body}");
}

#[test]
fn what_the_scanner_brought_stays_text() {
    let hostile = "@octocat | <script>alert(1)</script> [x](https://evil.example) `code` www.evil.example \
                   #1 a@b.example \u{202e}\n\n## heading\n<!-- sbi-known: x -->";
    let mut bad = finding("CVE-2026-1", "HIGH", hostile);
    for field in ["PkgName", "InstalledVersion", "Title"] {
        bad[field] = json!(hostile);
    }
    let mut worse = bad.clone();
    worse["VulnerabilityID"] = json!("--> @octocat |`$(touch owned)`");
    let mut run = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan_of(&[bad, worse]))]);
    let calls = night(&mut run, &[]);
    let body = calls[0].1["body"].as_str().unwrap();
    for absent in
        ["@", "<script", "](https://evil", "www.evil", "## heading", "\u{202e}", "`code`", " #1", "touch owned)"]
    {
        assert!(!body.contains(absent), "{absent}: {body}");
    }
    assert_eq!(body.matches("<!-- sbi-known:").count(), 1, "{body}");
    let rows: Vec<&str> = body.lines().filter(|line| line.starts_with("| HIGH")).collect();
    assert_eq!(rows.len(), 2, "{body}");
    for row in rows {
        assert_eq!(row.matches('|').count(), 8, "{row}");
    }
    assert!(body.chars().all(|c| c == '\n' || (!c.is_control())), "{body}");
    assert!(!run.work().join("owned").exists());
}

#[test]
fn a_huge_result_fits_into_an_issue_and_says_what_was_left_out() {
    let many: Vec<Value> = (0..600)
        .map(|number| {
            let mut one = finding(&format!("CVE-2026-{number:05}"), "HIGH", &"é".repeat(300));
            one["Title"] = json!("x".repeat(2000));
            one
        })
        .collect();
    let releases: Vec<Value> = (0..5).map(|number| release(&format!("image-{number}"), "v1.0.0")).collect();
    let names: Vec<String> = (0..5).map(|number| format!("image-{number}")).collect();
    let found: Vec<(&str, Value)> = names.iter().map(|name| (name.as_str(), scan_of(&many))).collect();
    let mut run = telling(&releases, &found);
    let calls = night(&mut run, &[]);
    let body = calls[0].1["body"].as_str().unwrap().to_owned();
    assert!(body.len() < 65_536, "{}", body.len());
    assert!(body.contains(" more are in the reports of the last run."), "{}", &body[..2000]);
    assert_eq!(night(&mut run, &[issue(7, "open", BOT, &body)]), [], "the same night again changes nothing");
}

#[test]
fn a_call_that_github_refuses_makes_the_run_red_and_the_next_night_catches_up() {
    for nth in 1..=3 {
        let mut run = one_finding();
        wanted(&mut run);
        run.set("GH_FAIL", &nth.to_string());
        run.step(KEEP).fails_with("::error title=Issue not written::");
        run.set("GH_FAIL", "");
        assert_eq!(night(&mut run, &[]).len(), 1, "call {nth}");
    }
}

#[test]
fn a_repository_without_issues_gets_a_note() {
    let mut run = one_finding();
    wanted(&mut run);
    run.set("GH_NO_ISSUES", "yes");
    let said = run.step(KEEP).passes().said().to_owned();
    assert!(said.contains("::notice title=No issues::"), "{said}");
    assert_eq!(sent(&run), []);
}

#[test]
fn several_pages_of_issues_are_searched_and_the_token_is_never_an_argument() {
    let mut run = one_finding();
    let body = night(&mut run, &[])[0].1["body"].as_str().unwrap().to_owned();
    wanted(&mut run);
    let pages = format!("{}{}", json!([issue(1, "open", "mallory", "x")]), json!([issue(7, "open", BOT, &body)]));
    std::fs::write(run.at("issues"), pages).unwrap();
    let said = run.step(KEEP).passes().said().to_owned();
    assert_eq!(sent(&run), []);
    let calls = run.read("calls");
    assert!(calls.contains("--paginate") && calls.contains("state=all"), "{calls}");
    assert!(!calls.contains("ghs_very_secret") && !said.contains("ghs_very_secret"));
}

#[test]
fn the_command_in_the_issue_names_the_next_version() {
    for (prefixed, tag, next) in
        [("false", "v1.2.3", "v1.2.4"), ("false", "v1.0.0-rc.1", "v1.0.0"), ("true", "v1.9.9", "static-go/v1.9.10")]
    {
        let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2")]);
        let mut run = telling(&[release("static-go", tag)], &[("static-go", scan)]);
        run.put_in_place("PREFIXED", prefixed);
        let wanted = wanted(&mut run);
        let command = format!("\ngh release create {next} --repo acme/base-images --generate-notes\n");
        assert!(wanted["body"].as_str().unwrap().contains(&command), "{wanted}");
    }
}
