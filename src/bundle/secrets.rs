//! What must not leave the machine in a bundle: files that hold credentials by custom, and credentials in URLs.

/// True for a file of this name.
pub fn is_secret_file(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        ".env",
        ".env.local",
        ".netrc",
        "_netrc",
        ".git-credentials",
        ".pypirc",
        ".npmrc",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        ".civitai_token",
    ];
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Query parameters in which model hosts and registries expect a key.
const KEYS: [&str; 7] = ["token", "api_key", "apikey", "key", "access_token", "auth", "signature"];

/// The text with credentials taken out of the URLs in it: user names and passwords before `@` (that of `ssh` without a password stays, it is
/// the service's own), and query parameters that hold a key.
pub fn without_credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let scheme = before[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next().unwrap_or("");
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | ',' | ')' | ']' | '}');
        let (url, behind) = after.split_at(after.find(ends).unwrap_or(after.len()));
        clean.push_str(&clean_url(scheme, url));
        rest = behind;
    }
    clean.push_str(rest);
    clean
}

/// What stands behind `://`.
fn clean_url(scheme: &str, url: &str) -> String {
    let (authority, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let host = match authority.rsplit_once('@') {
        Some((user, _)) if scheme.ends_with("ssh") && !user.contains(':') => authority,
        Some((_, host)) => host,
        None => authority,
    };
    let Some((path, query)) = path.split_once('?') else { return format!("{host}{path}") };
    let (query, fragment) = match query.split_once('#') {
        Some((query, fragment)) => (query, format!("#{fragment}")),
        None => (query, String::new()),
    };
    let is_harmless = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or(pair).to_ascii_lowercase();
        !KEYS.contains(&name.as_str()) && !name.starts_with("x-amz-")
    };
    let kept: Vec<&str> = query.split('&').filter(is_harmless).collect();
    if kept.is_empty() {
        format!("{host}{path}{fragment}")
    } else {
        format!("{host}{path}?{}{fragment}", kept.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_urls() {
        for (given, clean) in [
            ("https://user:pw@example.org/x", "https://example.org/x"),
            ("https://ghp_token@github.com/a/b.git", "https://github.com/a/b.git"),
            ("git+https://t@h/x@abc", "git+https://h/x@abc"),
            ("ssh://git@github.com/a/b", "ssh://git@github.com/a/b"),
            ("ssh://a:b@h/x", "ssh://h/x"),
            (
                "https://civitai.com/api/download/models/1?type=Model&token=abc",
                "https://civitai.com/api/download/models/1?type=Model",
            ),
            ("https://h/x?token=abc", "https://h/x"),
            (
                "url = \"https://u:p@h/x\", b = \"https://h/a@b?c=1#f\"",
                "url = \"https://h/x\", b = \"https://h/a@b?c=1#f\"",
            ),
            ("nothing here, not even a@b", "nothing here, not even a@b"),
        ] {
            assert_eq!(without_credentials(given), clean);
            assert_eq!(without_credentials(clean), clean);
        }
    }

    #[test]
    fn files_that_hold_credentials_are_known_by_name() {
        assert!(is_secret_file(".env") && is_secret_file("ID_RSA"));
        assert!(!is_secret_file(".env.example") && !is_secret_file("environment.py"));
    }
}
