//! The name of an environment, checked once at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A name that may stand in a path on every system, in a ref (`NAME/heads/main`) and on a command line:
/// 1 to 64 of `A–Z a–z 0–9 - _ .`, beginning with a letter or digit, not ending with a dot, no device name of
/// Windows, and not `workspace`, under which the store keeps refs that belong to no environment.
///
/// Two names that differ only in case are not both allowed in one workspace (invariant E2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EnvironmentName(String);

/// Why text is no environment name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("an environment needs a name")]
    Empty,
    #[error("the environment name `{0}` is longer than 64 characters")]
    TooLong(String),
    #[error("the environment name `{name}` holds {found:?}; letters, digits, `-`, `_` and `.` are allowed")]
    Character { name: String, found: char },
    #[error("the environment name `{0}` must begin with a letter or a digit")]
    Begins(String),
    #[error("the environment name `{0}` ends with a dot, which Windows cannot keep")]
    Ends(String),
    #[error("`{0}` is a name that the system or Comfrey keeps for itself")]
    Reserved(String),
}

/// The namespace of refs outside any environment.
pub const OUTSIDE: &str = crate::history::ref_name::NO_ENVIRONMENT;

impl EnvironmentName {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let name = text.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(found) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
            return Err(NameError::Character { name, found });
        }
        if name.len() > 64 {
            return Err(NameError::TooLong(name));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(NameError::Begins(name));
        }
        if name.ends_with('.') {
            return Err(NameError::Ends(name));
        }
        if is_reserved(&name) || crate::history::ref_name::check_environment(&name).is_err() {
            return Err(NameError::Reserved(name));
        }
        Ok(EnvironmentName(name))
    }

    /// A name made of any text, such as a folder's: what is not allowed becomes `-`. Nothing if nothing is left.
    pub fn suggest(text: &str) -> Option<Self> {
        let mapped = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
        let mapped: String = mapped.take(64).collect();
        let trimmed = mapped.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
        Self::new(trimmed).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when a file system that ignores case could not tell the two names apart.
    pub fn collides_with(&self, other: &EnvironmentName) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|n| n.len() == 1 && n.starts_with(|c: char| c.is_ascii_digit() && c != '0'))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || numbered("COM")
        || numbered("LPT")
        || name.eq_ignore_ascii_case(OUTSIDE)
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for EnvironmentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["demo", "my-env", "sdxl_1.0", "9b", "COM", "COM0", "console", "null"] {
            assert!(EnvironmentName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_some_system_or_ref_could_not_hold_are_refused() {
        let long = "x".repeat(65);
        for name in
            ["", ".hidden", "-flag", "a/b", "a\\b", "a b", "a:b", "a~1", "ends.", "CON", "nul.txt", "com1", &long]
        {
            assert!(EnvironmentName::new(name).is_err(), "{name:?}");
        }
        for name in ["HEAD", "heads", "tags", "a..b", "a.lock"] {
            assert_eq!(EnvironmentName::new(name), Err(NameError::Reserved(name.into())), "no word of a ref");
        }
        assert_eq!(EnvironmentName::new("Workspace"), Err(NameError::Reserved("Workspace".into())));
    }

    #[test]
    fn a_folder_name_becomes_an_environment_name() {
        let suggested = |text| EnvironmentName::suggest(text).map(|name| name.to_string());
        assert_eq!(suggested("ComfyUI (new)").as_deref(), Some("comfyui--new"));
        assert_eq!(suggested(".cache").as_deref(), Some("cache"));
        assert_eq!(suggested("日本"), None);
    }
}
