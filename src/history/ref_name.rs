//! Names of refs: `ENVIRONMENT/HEAD`, `ENVIRONMENT/heads/BRANCH`, `ENVIRONMENT/tags/TAG`.
//!
//! The rules are those of git's `check-ref-format`, so that every name that git takes for a branch or tag can be
//! kept, and none of them can be read as anything else in a revision.

use std::fmt;

use super::{Error, Result};

/// The full name of a ref, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

/// The refs of a workspace that has no environment stand under this name.
pub const NO_ENVIRONMENT: &str = "workspace";

/// The branch that a `HEAD` points at before anything else was said.
pub const FIRST_BRANCH: &str = "main";

/// The longest full name, in bytes: every operation repeats all names.
const LONGEST: usize = 255;

impl RefName {
    /// Checks a full name.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        match check_full(&name) {
            Ok(()) => Ok(RefName(name)),
            Err(reason) => Err(Error::BadRefName { name, reason }),
        }
    }

    /// `ENVIRONMENT/HEAD`.
    pub fn head(environment: &str) -> Result<Self> {
        Self::new(format!("{environment}/HEAD"))
    }

    /// `ENVIRONMENT/heads/BRANCH`.
    pub fn branch(environment: &str, branch: &str) -> Result<Self> {
        Self::new(format!("{environment}/heads/{branch}"))
    }

    /// `ENVIRONMENT/tags/TAG`.
    pub fn tag(environment: &str, tag: &str) -> Result<Self> {
        Self::new(format!("{environment}/tags/{tag}"))
    }

    /// Reads what a person types where a ref is to be changed: `HEAD`, `heads/x` and `tags/x` are of `environment`,
    /// anything else is a full name.
    pub fn within(environment: &str, name: &str) -> Result<Self> {
        if name == "HEAD" || name == "@" {
            return Self::head(environment);
        }
        if name.starts_with("heads/") || name.starts_with("tags/") {
            return Self::new(format!("{environment}/{name}"));
        }
        Self::new(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The environment whose ref this is.
    pub fn environment(&self) -> &str {
        self.0.split('/').next().unwrap_or("")
    }

    /// The name within its environment: `HEAD`, `heads/x`, `tags/x`.
    pub fn local(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, local)| local)
    }

    /// True for `ENVIRONMENT/HEAD`.
    pub fn is_head(&self) -> bool {
        self.local() == "HEAD"
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name as people say it within its environment: `main` for `heads/main`, `x` for `tags/x`.
pub fn short(local: &str) -> &str {
    local.strip_prefix("heads/").or_else(|| local.strip_prefix("tags/")).unwrap_or(local)
}

/// Checks the name of an environment as the first word of its refs. Errors: why it cannot be one.
pub fn check_environment(name: &str) -> std::result::Result<(), String> {
    check_component(name)?;
    if matches!(name, "HEAD" | "heads" | "tags") {
        return Err(format!("`{name}` means something else in the names of refs"));
    }
    if name.contains('/') {
        return Err("it holds `/`".into());
    }
    Ok(())
}

fn check_full(name: &str) -> std::result::Result<(), String> {
    if name.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let form = "the form ENVIRONMENT/HEAD, ENVIRONMENT/heads/BRANCH or ENVIRONMENT/tags/TAG is wanted";
    let Some((environment, local)) = name.split_once('/') else { return Err(form.into()) };
    check_environment(environment)?;
    if local == "HEAD" {
        return Ok(());
    }
    let Some((group, rest)) = local.split_once('/') else { return Err(form.into()) };
    if !matches!(group, "heads" | "tags") {
        return Err(form.into());
    }
    if rest == "HEAD" {
        return Err("`HEAD` is no name for a branch or a tag".into());
    }
    if rest.starts_with('-') {
        return Err("it would be read as an option: it begins with `-`".into());
    }
    rest.split('/').try_for_each(check_component)
}

/// One component between slashes.
fn check_component(part: &str) -> std::result::Result<(), String> {
    if part.is_empty() {
        return Err("a part of it is empty".into());
    }
    if part == "@" {
        return Err("`@` means HEAD".into());
    }
    if part.starts_with('.') {
        return Err("a part of it begins with `.`".into());
    }
    if part.ends_with('.') {
        return Err("a part of it ends with `.`".into());
    }
    if part.ends_with(".lock") {
        return Err("a part of it ends with `.lock`".into());
    }
    for unwanted in ["..", "@{"] {
        if part.contains(unwanted) {
            return Err(format!("it holds `{unwanted}`"));
        }
    }
    match part.chars().find(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\')) {
        Some(' ') => Err("it holds a space".into()),
        Some(c) if c.is_control() => Err("it holds a control character".into()),
        Some(c) => Err(format!("it holds `{c}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_all_three_kinds_are_taken_apart() {
        let name = RefName::branch("demo", "feature/x").unwrap();
        assert_eq!((name.environment(), name.local(), short(name.local())), ("demo", "heads/feature/x", "feature/x"));
        assert!(RefName::head("demo").unwrap().is_head() && !name.is_head());
        assert_eq!(RefName::within("demo", "HEAD").unwrap().as_str(), "demo/HEAD");
        assert_eq!(RefName::within("demo", "tags/x").unwrap().as_str(), "demo/tags/x");
        assert_eq!(RefName::within("demo", "other/heads/x").unwrap().as_str(), "other/heads/x");
    }

    #[test]
    fn names_that_git_refuses_are_refused() {
        for rest in [
            "", ".a", "a..b", "a/", "/a", "a//b", "a.lock", "a.lock/b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b",
            "a b", "a\tb", "a\x7f", "a.", "a@{1}", "@", "-a", "HEAD", "a/.b",
        ] {
            assert!(RefName::branch("demo", rest).is_err(), "{rest:?}");
        }
        for name in ["main", "demo", "demo/main", "demo/refs/heads/x", "heads/x", "tags/x", ".x/HEAD", "/HEAD"] {
            assert!(RefName::new(name).is_err(), "{name:?}");
        }
        assert!(RefName::branch("demo", &"a".repeat(300)).is_err());
        for rest in ["a", "a.b", "ä", "日本", "a@b", "a-", "{a}", "v1.0", "a.locks"] {
            assert!(RefName::branch("demo", rest).is_ok(), "{rest:?}");
        }
    }

    proptest! {
        #[test]
        fn no_valid_name_holds_what_revisions_are_made_of(text in "[a-z.@{}~^:/ -]{1,12}") {
            if let Ok(name) = RefName::branch("e", &text) {
                let unwanted = ["~", "^", ":", " ", "..", "@{"];
                prop_assert!(!unwanted.iter().any(|part| name.as_str().contains(part)));
            }
        }
    }
}
