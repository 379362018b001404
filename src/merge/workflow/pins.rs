//! Two versions of an action meet: the newer one stays, and never one that is known to be malicious.

use crate::model::action_pin::ActionPin;

/// What becomes of one `uses:`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Theirs(Option<String>),
    Ours(Option<String>),
    Neither,
}

/// The action without what it is pinned to.
pub(super) fn without_pin(action: &str) -> &str {
    action.split_once('@').map_or(action, |(name, _)| name)
}

/// Each text is what stands behind `uses:`, with the comment that tells the version.
pub(super) fn choose(base: Option<&str>, ours: &str, theirs: &str) -> Choice {
    if ours == theirs {
        return Choice::Theirs(None);
    }
    let (our_pin, their_pin) = (ActionPin::read(ours), ActionPin::read(theirs));
    let ours_is_new = base != Some(ours);
    let theirs_is_new = base != Some(theirs);
    if let (Some(our), Some(their)) = (&our_pin, &their_pin)
        && our.is_same_action(their)
    {
        let action = format!("{}{}", our.repository, our.path);
        let (old, new) = (version(their), version(our));
        return match our.is_newer_than(their) {
            Some(true) if their.is_known_bad() => {
                Choice::Ours(Some(format!("replaces {action} {old}, a commit known to be malicious, by {new}")))
            }
            _ if !ours_is_new => Choice::Theirs(None),
            Some(true) if theirs_is_new => Choice::Ours(Some(format!("raises {action} from {old} to {new}"))),
            Some(true) => Choice::Ours(None),
            _ if our.commit == their.commit && !theirs_is_new => Choice::Ours(None),
            _ if our.commit == their.commit => Choice::Theirs(None),
            Some(false) => Choice::Theirs(Some(format!("keeps {action} {old}, which is newer than {new}"))),
            None if !theirs_is_new => Choice::Ours(None),
            None => {
                let what = format!("keeps {action} at {old}; nothing tells whether {new} of this version is newer");
                Choice::Theirs(Some(what))
            }
        };
    }
    let same = |one: &str, other: &str| without_pin(one).eq_ignore_ascii_case(without_pin(other));
    if their_pin.as_ref().is_some_and(ActionPin::is_known_bad)
        && our_pin.as_ref().is_some_and(|pin| !pin.is_known_bad())
    {
        return Choice::Ours(Some(format!("replaces {theirs}, a commit known to be malicious, by {ours}")));
    }
    match base {
        Some(_) if !ours_is_new => Choice::Theirs(None),
        Some(_) if !theirs_is_new => Choice::Ours(None),
        // The action that they renewed is not used any more.
        Some(base) if same(base, theirs) && !same(base, ours) => {
            Choice::Ours(Some(format!("uses {ours} instead of {theirs}")))
        }
        Some(base) if same(base, ours) && their_pin.is_none() && same(ours, theirs) => {
            Choice::Theirs(Some(format!("keeps {theirs}, which is no fixed commit; this version has {ours}")))
        }
        Some(base) if same(base, ours) => {
            Choice::Theirs(Some(format!("keeps {theirs} instead of {}; this version has {ours}", without_pin(ours))))
        }
        _ => Choice::Neither,
    }
}

fn version(pin: &ActionPin) -> String {
    pin.version.as_ref().map_or_else(|| pin.commit.as_str()[..12].to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(action: &str, digit: char, version: &str) -> String {
        format!("{action}@{} # {version}", digit.to_string().repeat(40))
    }

    #[track_caller]
    fn taken(base: Option<&str>, ours: &str, theirs: &str) -> (&'static str, Option<String>) {
        match choose(base, ours, theirs) {
            Choice::Ours(note) => ("ours", note),
            Choice::Theirs(note) => ("theirs", note),
            Choice::Neither => ("neither", None),
        }
    }

    #[test]
    fn the_newer_one_stays_whoever_wrote_it() {
        let [old, mid, new] = [('1', "v1.0.0"), ('2', "v2.0.0"), ('3', "v3.0.0")].map(|(digit, v)| at("a/b", digit, v));
        assert_eq!(taken(Some(&old), &mid, &old), ("ours", None));
        assert_eq!(taken(Some(&old), &old, &mid), ("theirs", None));
        assert_eq!(taken(Some(&mid), &mid, &old), ("theirs", None), "they went back on purpose");
        assert_eq!(taken(Some(&old), &new, &mid), ("ours", Some("raises a/b from v2.0.0 to v3.0.0".into())));
        assert_eq!(
            taken(Some(&old), &mid, &new),
            ("theirs", Some("keeps a/b v3.0.0, which is newer than v2.0.0".into()))
        );
        assert_eq!(taken(None, &mid, &new).0, "theirs");
        assert_eq!(
            taken(Some(&mid), &old, &mid),
            ("theirs", Some("keeps a/b v2.0.0, which is newer than v1.0.0".into()))
        );
    }

    #[test]
    fn what_no_version_tells_apart_stays_theirs_unless_they_left_it_alone() {
        let [old, main, other] =
            [('1', "v1.0.0"), ('2', "main"), ('3', "v2.0.0")].map(|(digit, v)| at("a/b", digit, v));
        let what = "keeps a/b at 222222222222; nothing tells whether v2.0.0 of this version is newer";
        assert_eq!(taken(Some(&old), &other, &canonical(&main)), ("theirs", Some(what.into())));
        assert_eq!(taken(Some(&canonical(&main)), &other, &canonical(&main)), ("ours", None));
    }

    fn canonical(text: &str) -> String {
        ActionPin::read(text).unwrap().to_string()
    }

    #[test]
    fn a_malicious_one_never_stays_beside_a_good_one() {
        let bad = "tj-actions/changed-files@0e58ed8671d6b60d0890c21b07f8835ace038e67 # v99.0.0";
        let good = at("tj-actions/changed-files", '1', "v1.0.0");
        for base in [None, Some(bad), Some(&*good)] {
            assert_eq!(taken(base, &good, bad).0, "ours", "{base:?}");
            assert_eq!(taken(base, bad, &good).0, "theirs", "{base:?}");
        }
        assert_eq!(taken(Some(&good), &at("a/b", '2', "v1.0.0"), bad).0, "ours");
    }

    #[test]
    fn another_action_is_a_choice_of_who_made_it() {
        let [old, new, other] = [("a/b", '1', "v1.0.0"), ("a/b", '2', "v2.0.0"), ("c/d", '3', "v1.0.0")]
            .map(|(a, digit, v)| at(a, digit, v));
        assert_eq!(taken(Some(&old), &new, &other).0, "theirs", "they replaced it");
        assert_eq!(taken(Some(&old), &new, "a/b@v1").0, "theirs", "they chose a tag");
        assert_eq!(taken(Some(&old), &other, &new).0, "ours", "we replaced what they only renewed");
        assert_eq!(taken(Some(&old), &other, "e/f@v1").0, "neither");
        assert_eq!(taken(None, &old, &other).0, "neither");
    }
}
