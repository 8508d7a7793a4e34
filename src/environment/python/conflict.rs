//! What uv says where requirements disagree, as a value: which packages, who wants them, what could be done.

use std::fmt;

/// Requirements that cannot all be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The two that disagree, where uv's words were understood; one where nothing satisfies it; else none.
    pub sides: Vec<Side>,
    /// uv's own words.
    pub text: String,
}

/// One who wants what another forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    pub who: Who,
    /// The requirements from what `who` asks for to the one in question, which is the last: `deep`, `bar`, `foo<2`.
    pub wants: Vec<String>,
}

/// Who has requirements in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `[project] dependencies`: ComfyUI.
    ComfyUi,
    /// A dependency group, such as `node-impact-pack`.
    Group(String),
}

impl Conflict {
    /// Reads what `uv lock` wrote; nothing where that tells of something else.
    pub fn parse(stderr: &str, _manifest: &str) -> Option<Self> {
        let begin = stderr.find("No solution found")?;
        let text = stderr[begin..].lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Some(Conflict { sides: Vec::new(), text })
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
