//! How long ago, in words.

use jiff::{SignedDuration, Timestamp};

/// `3 days`, `1 hour`, `under a minute`; the future counts as now.
pub(super) fn length(duration: SignedDuration) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = duration.as_secs();
    let found = units.into_iter().find(|(length, _)| seconds >= *length);
    match found.map(|(length, name)| (seconds / length, name)) {
        None => "under a minute".into(),
        Some((1, name)) => format!("1 {name}"),
        Some((count, name)) => format!("{count} {name}s"),
    }
}

/// `3 days ago, 2026-11-22 10:11 UTC`
pub(super) fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago, {}", length(now.duration_since(at)), at.strftime("%Y-%m-%d %H:%M UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_their_largest_unit() {
        let told = |seconds| length(SignedDuration::from_secs(seconds));
        assert_eq!(
            [-5, 59, 60, 7_199, 86_400].map(told),
            ["under a minute", "under a minute", "1 minute", "1 hour", "1 day"]
        );
        assert_eq!(told(90 * 86_400 + 5), "90 days");
    }
}
