//! Where journals are kept.

use super::*;

fn name() -> GithubRepositoryName {
    "Acme/Bases".parse().unwrap()
}

#[test]
fn the_folder_follows_the_state_directory_and_a_relative_one_is_none() {
    let of = |variables: &[(&str, &str)]| {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Place::of("GitHub.com", &name(), &variable).map(|place| place.folder().display().to_string())
    };
    let expected = Some("/state/sbi/github.com/acme/bases".to_owned());
    assert_eq!(of(&[("XDG_STATE_HOME", "/state"), ("HOME", "/home/ada")]), expected);
    assert_eq!(of(&[("XDG_STATE_HOME", "state")]), None);
    assert_eq!(of(&[]), None);
    if cfg!(target_os = "linux") {
        let home = of(&[("XDG_STATE_HOME", ""), ("HOME", "/home/ada")]);
        assert_eq!(home.as_deref(), Some("/home/ada/.local/state/sbi/github.com/acme/bases"));
    }
}
