//! Versions of the templates, as far as they are compared.

/// Whether a version comes before another one: by number, part by part. What has no numbers is not compared.
#[must_use]
pub fn is_older(one: &str, other: &str) -> bool {
    match (numbers(one), numbers(other)) {
        (Some(one), Some(other)) => one < other,
        _ => false,
    }
}

/// `0.12.3`; what stands behind, as in `0.12.3-rc.1`, is left out.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_older("0.9.0", "0.10.0") && is_older("1.2.3", "2.0.0"));
        assert!(!is_older("0.10.0", "0.9.0") && !is_older("1.0.0", "1.0.0"));
        assert!(!is_older("", "1.0.0") && !is_older("1.0.0", "dev") && !is_older("1", "2"));
    }
}
