//! How an address is shown and written down: without what could be a secret.

use crate::platform::git_refs::without_credentials;

/// `url` without a name and password, and with the values in its query left out: hosts take tokens there, and signed addresses carry
/// them. Names of parameters stay, so that the address is still recognised.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (host, path) = place.split_once('/').map_or((place, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or(host);
    let mut shown = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
    if let Some(path) = path {
        shown.push('/');
        shown.push_str(path);
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        let names = query.split('&').map(|one| one.split_once('=').map_or(one, |(name, _)| name));
        let names: Vec<String> = names.map(|name| format!("{name}=…")).collect();
        shown.push('?');
        shown.push_str(&names.join("&"));
    }
    shown
}

/// An address as it may be written down: without names, passwords, and values that could be a secret.
pub fn without_secrets(url: &str) -> String {
    let url = without_credentials(url);
    let Some((place, query)) = url.split_once('?') else { return url };
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["token", "key", "sig", "secret", "pass", "auth", "credential"].iter().any(|part| name.contains(part))
    };
    let kept: Vec<&str> = query.split('&').filter(|one| !secret(one.split('=').next().unwrap_or_default())).collect();
    if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) }
}

/// True for what is fetched rather than read from a disk.
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_passwords_and_values_of_the_query_are_not_shown() {
        for (url, expected) in [
            ("https://example.org/a/b.json", "https://example.org/a/b.json"),
            ("https://me:secret@example.org:81/a?token=abc&x", "https://example.org:81/a?token=…&x=…"),
            ("http://example.org?key=1#part", "http://example.org?key=…"),
            ("example.org/a@b", "example.org/a@b"),
        ] {
            assert_eq!(shown(url), expected);
        }
        assert_eq!(without_secrets("https://u:p@h/x.zip?token=1&v=2"), "https://h/x.zip?v=2");
        assert_eq!(without_secrets("https://h/x.zip?api_key=1"), "https://h/x.zip");
        assert!(is_url("HTTPS://example.org") && !is_url("C:/lists/a.json") && !is_url("file:///a"));
    }
}
