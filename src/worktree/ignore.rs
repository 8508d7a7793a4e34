//! Which files of a folder are nobody's work and stay out of trees.
//!
//! Three layers, the later ones first to decide:
//!
//! 1. what is left out by default: see [`ignored_by_default`];
//! 2. rules that the caller gives, in gitignore syntax, relative to the root;
//! 3. files named `.comfreyignore` and `.comfydock_ignore`, in any folder, in gitignore syntax; the innermost decides, and
//!    within one folder `.comfreyignore`.
//!
//! A rule that begins with `!` brings back what a layer above left out. As in git, nothing below an ignored folder is looked at.
//!
//! `.gitignore` is *not* honoured: authors of custom nodes list there what a user downloads or sets after installing, such as weights
//! and configuration, and a snapshot without those would not bring the node back.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::problem::{Problem, Reason};

/// The files in which a user writes rules; the first has the last word.
pub const RULE_FILES: [&str; 2] = [".comfreyignore", ".comfydock_ignore"];

/// How the names of our own unfinished work begin.
pub const STAGING_PREFIX: &str = ".comfrey-staging-";

/// A file with this name makes its folder a virtual environment.
pub const VENV_MARK: &str = "pyvenv.cfg";

/// What to leave out.
#[derive(Debug, Clone)]
pub struct IgnoreRules {
    /// Whether layer 1 holds.
    pub defaults: bool,
    /// Layer 2: lines in gitignore syntax, relative to the root.
    pub lines: Vec<String>,
    /// Whether layer 3 is looked for.
    pub rule_files: bool,
}

impl Default for IgnoreRules {
    fn default() -> Self {
        IgnoreRules { defaults: true, lines: Vec::new(), rule_files: true }
    }
}

impl IgnoreRules {
    /// Leaves nothing out.
    pub fn nothing() -> Self {
        IgnoreRules { defaults: false, lines: Vec::new(), rule_files: false }
    }

    /// The same with further lines, such as those of an environment's own file of rules.
    pub fn with_lines(mut self, text: &str) -> Self {
        self.lines.extend(text.lines().map(str::to_owned));
        self
    }
}

/// Layer 1, by name alone: histories of other tools, bytecode and other caches that are made anew, virtual environments, litter of file
/// browsers, and our own store and staging folders. A folder that holds [`VENV_MARK`] is left out as well.
pub fn ignored_by_default(name: &OsStr, is_folder: bool) -> bool {
    let Some(name) = name.to_str() else { return false };
    match name {
        ".git" | ".hg" | ".svn" | ".DS_Store" | "Thumbs.db" => true,
        "__pycache__" | ".mypy_cache" | ".pytest_cache" | ".ruff_cache" | ".ipynb_checkpoints" | ".venv"
        | ".comfrey" => is_folder,
        _ if name.starts_with(STAGING_PREFIX) => true,
        _ => !is_folder && (name.ends_with(".pyc") || name.ends_with(".pyo")),
    }
}

/// True for what a program makes anew and nobody misses: bytecode and where it lies.
pub fn is_bytecode(name: &OsStr, is_folder: bool) -> bool {
    match name.to_str() {
        Some("__pycache__") => is_folder,
        Some(name) => !is_folder && (name.ends_with(".pyc") || name.ends_with(".pyo")),
        None => false,
    }
}

/// The rules that hold in one folder: those of the folder itself, then those of the folders above.
#[derive(Debug, Clone)]
pub struct Rules {
    defaults: bool,
    innermost: Option<Arc<Layer>>,
}

#[derive(Debug)]
struct Layer {
    matcher: Gitignore,
    /// How many folders below the root its patterns start.
    depth: usize,
    above: Option<Arc<Layer>>,
}

impl Drop for Layer {
    /// Lets go of the layers above one by one: a chain of ten thousand would else be dropped by recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut layer) = above.and_then(Arc::into_inner) {
            above = layer.above.take();
        }
    }
}

impl Rules {
    /// The rules at the root, and the lines that are no rules (numbered from 1).
    pub fn at_root(rules: &IgnoreRules) -> (Rules, Vec<Reason>) {
        let mut root = Rules { defaults: rules.defaults, innermost: None };
        let faults = root.add(rules.lines.iter().map(String::as_str), 0);
        (root, faults)
    }

    /// The rules inside a folder that has rule files with these texts, in the order of [`RULE_FILES`].
    pub fn inside(&self, texts: &[(PathBuf, Vec<u8>)], depth: usize) -> (Rules, Vec<Problem>) {
        let mut inside = self.clone();
        let mut problems = Vec::new();
        // The last one added decides first.
        for (path, text) in texts.iter().rev() {
            let text = String::from_utf8_lossy(text);
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let faults = inside.add(text.lines(), depth);
            problems.extend(faults.into_iter().map(|reason| Problem { path: path.clone(), reason }));
        }
        (inside, problems)
    }

    fn add<'a>(&mut self, lines: impl Iterator<Item = &'a str>, depth: usize) -> Vec<Reason> {
        let mut builder = GitignoreBuilder::new("");
        let mut faults = Vec::new();
        let mut any = false;
        for (number, line) in lines.enumerate() {
            match builder.add_line(None, line) {
                Ok(_) => any = true,
                Err(error) => faults.push(Reason::NoRule { line: number + 1, reason: error.to_string() }),
            }
        }
        if any {
            match builder.build() {
                Ok(matcher) if matcher.is_empty() => {}
                Ok(matcher) => {
                    self.innermost = Some(Arc::new(Layer { matcher, depth, above: self.innermost.take() }));
                }
                Err(error) => faults.push(Reason::NoRule { line: 1, reason: error.to_string() }),
            }
        }
        faults
    }

    /// True when names can be judged by [`Rules::ignores_name`] alone, without their path.
    pub fn is_simple(&self) -> bool {
        self.innermost.is_none()
    }

    /// Whether the defaults leave out this name.
    pub fn ignores_name(&self, name: &OsStr, is_folder: bool) -> bool {
        self.defaults && ignored_by_default(name, is_folder)
    }

    /// Whether a path is left out. `path` holds the names from the root down.
    pub fn ignores(&self, path: &[&OsStr], is_folder: bool) -> bool {
        let Some(name) = path.last() else { return false };
        self.decide(path, is_folder).unwrap_or_else(|| self.ignores_name(name, is_folder))
    }

    /// Whether a folder found to be a virtual environment is left out.
    pub fn ignores_virtual_environment(&self, path: &[&OsStr]) -> bool {
        self.defaults && self.decide(path, true).is_none()
    }

    /// What the written rules say, if one speaks of this path.
    fn decide(&self, path: &[&OsStr], is_folder: bool) -> Option<bool> {
        let mut layer = self.innermost.as_deref();
        while let Some(this) = layer {
            let below: PathBuf = path.iter().skip(this.depth).collect();
            // A leading `./` is all that the matcher strips from a path below an empty root.
            match this.matcher.matched(Path::new(&below), is_folder) {
                Match::Ignore(_) => return Some(true),
                Match::Whitelist(_) => return Some(false),
                Match::None => layer = this.above.as_deref(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<&OsStr> {
        path.split('/').map(OsStr::new).collect()
    }

    fn ignores(rules: &Rules, path: &str, is_folder: bool) -> bool {
        rules.ignores(&names(path), is_folder)
    }

    #[test]
    fn histories_caches_and_litter_are_left_out_by_default() {
        let (rules, _) = Rules::at_root(&IgnoreRules::default());
        for folder in [".git", "a/__pycache__", ".venv", "a/.comfrey-staging-x", ".comfrey"] {
            assert!(ignores(&rules, folder, true), "{folder}");
        }
        for file in [".git", "a/b.pyc", "Thumbs.db", ".DS_Store"] {
            assert!(ignores(&rules, file, false), "{file}");
        }
        for file in ["a.py", ".gitignore", "__pycache__", "venv", "git", "a.pyc.txt"] {
            assert!(!ignores(&rules, file, false), "{file}");
        }
        assert!(!ignores(&Rules::at_root(&IgnoreRules::nothing()).0, ".git", true));
    }

    #[test]
    fn written_rules_have_gitignore_syntax_and_can_bring_back() {
        let rules = IgnoreRules::default().with_lines("# a comment\n*.log\n/build/\n!keep.log\n!x.pyc\ndocs/*.md\n");
        let (rules, faults) = Rules::at_root(&rules);
        assert!(faults.is_empty());
        for file in ["a.log", "deep/a.log", "docs/x.md"] {
            assert!(ignores(&rules, file, false), "{file}");
        }
        for file in ["keep.log", "x.pyc", "build", "a/build", "docs/deep/x.md"] {
            assert!(!ignores(&rules, file, false), "{file}");
        }
        assert!(ignores(&rules, "build", true) && !ignores(&rules, "a/build", true));
    }

    #[test]
    fn rules_of_an_inner_folder_decide_before_those_above() {
        let (root, _) = Rules::at_root(&IgnoreRules::default().with_lines("*.bin"));
        let text = |name: &str, text: &str| (PathBuf::from(name), text.as_bytes().to_vec());
        let texts = [text("a/.comfreyignore", "!good.bin\n/only-here\n"), text("a/.comfydock_ignore", "good.bin\n*.x")];
        let (inside, problems) = root.inside(&texts, 1);
        assert!(problems.is_empty());
        assert!(!ignores(&inside, "a/good.bin", false));
        assert!(ignores(&inside, "a/bad.bin", false) && ignores(&inside, "a/b.x", false));
        assert!(ignores(&inside, "a/only-here", false) && !ignores(&inside, "a/b/only-here", false));
        assert!(ignores(&root, "a/good.bin", false));
    }

    #[test]
    fn a_line_that_is_no_rule_is_named_and_the_others_hold() {
        let (rules, faults) = Rules::at_root(&IgnoreRules::default().with_lines("*.log\na{b\n*.tmp\n"));
        assert!(matches!(faults[..], [Reason::NoRule { line: 2, .. }]), "{faults:?}");
        assert!(ignores(&rules, "x.log", false) && ignores(&rules, "x.tmp", false));
    }

    #[test]
    fn ten_thousand_layers_are_dropped_without_recursion() {
        let (mut rules, _) = Rules::at_root(&IgnoreRules::default());
        for depth in 0..10_000 {
            rules = rules.inside(&[(PathBuf::new(), b"x".to_vec())], depth).0;
        }
        drop(rules);
    }
}
