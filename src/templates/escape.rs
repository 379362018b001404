//! Text that people typed, made safe for the place where it is written. What no place can hold safely is refused.

use url::Url;

use crate::failure::Failure;

/// # Errors
/// When the name is empty, long, or holds characters that reorder or break a line.
pub(super) fn check_publisher_name(name: &str) -> Result<(), Failure> {
    let refuse = |reason: &str| {
        Err(Failure::usage(format!("the publisher's name can't be used: {reason}"))
            .hinted("give another with `--publisher NAME`"))
    };
    if name.trim().is_empty() || name.trim() != name {
        return refuse("it is empty, or begins or ends with a blank");
    }
    if name.chars().count() > 100 {
        return refuse("it has more than 100 characters");
    }
    if name.chars().any(breaks_a_line) {
        return refuse("it holds a line break, a control character or a mark that changes the direction of text");
    }
    Ok(())
}

/// Control characters, line and paragraph separators, and the marks that reorder text (Unicode TR 9, section 2).
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// # Errors
/// When the contact is neither an e-mail address nor an https URL.
pub(super) fn check_contact(contact: &str) -> Result<(), Failure> {
    if is_email(contact) || is_https_url(contact) {
        return Ok(());
    }
    Err(Failure::usage("the security contact is neither an e-mail address nor an https URL")
        .hinted("give one with `--security-contact security@example.com`"))
}

/// The plain form of an address: no quotes, no comments, no blanks.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_ok = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let label_ok = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    !local.is_empty()
        && text.len() <= 254
        && local.chars().all(local_ok)
        && domain.contains('.')
        && domain.split('.').all(label_ok)
}

fn is_https_url(text: &str) -> bool {
    // Only what an autolink `<…>` holds literally; credentials in a public document are a mistake.
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !"<>\"'`\\{}|^".contains(c));
    let parsed = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some());
    let no_credentials = parsed.is_some_and(|url| url.username().is_empty() && url.password().is_none());
    plain && text.len() <= 2000 && text.starts_with("https://") && no_credentials
}

/// An autolink: an address and a URL both become one between angle brackets (`CommonMark` 6.5).
pub(super) fn contact_link(contact: &str) -> String {
    format!("<{contact}>")
}

/// A Dockerfile word in double quotes: nothing in it is expanded or ends it (Dockerfile reference, "Environment
/// replacement").
pub(super) fn docker(text: &str) -> String {
    quoted(text, |c| matches!(c, '\\' | '"' | '$'))
}

/// A YAML double-quoted scalar: without control characters, a backslash before `\` and `"` is all it takes (YAML 1.2,
/// 7.3.1).
pub(super) fn yaml(text: &str) -> String {
    quoted(text, |c| matches!(c, '\\' | '"'))
}

fn quoted(text: &str, special: impl Fn(char) -> bool) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if special(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Literal text in Markdown: a backslash before every character that can begin a construct (`CommonMark` 2.4, and GitHub's
/// `$` mathematics, `|` tables and `@` mentions).
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\`*_{}[]()<>#+!|~&$\"^=:".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '@' {
            // GitHub reads a mention after the escapes are gone; a comment between keeps it text.
            escaped.push_str("<!-- -->");
        }
    }
    escaped
}
