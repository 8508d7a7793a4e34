//! What uv says where requirements disagree, as a value: which packages, who wants them.
//!
//! uv explains itself in sentences ("because A depends on B and C depends on D …"). From these the steps are taken that lead from who
//! wants something to the package on which two disagree. Where that does not succeed uv's own words are all there is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::OnceLock;

use regex::Regex;

use super::requirements::normalized;
use crate::environment::manifest::{ADDED, Manifest, group_of_node};

/// Requirements that cannot all be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The package on which they disagree, or that cannot be had; nothing where uv's words were not understood.
    pub package: Option<String>,
    /// Who wants what of it: two or more that disagree, or one whose wish nothing satisfies.
    pub sides: Vec<Side>,
    /// uv's own words.
    pub text: String,
}

/// One who wants something of the package in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    pub who: Who,
    /// From what is asked for to what is wanted of the package in question, which is the last: `deep`, `bar`, `foo<2`.
    pub wants: Vec<String>,
}

/// Who has requirements in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `[project] dependencies`.
    ComfyUi,
    /// A node, by its key in the manifest or, where that is not there yet, by what its group is called after `node-`.
    Node(String),
    /// What the user added by hand.
    Added,
    /// Another dependency group.
    Group(String),
    /// A bound on a package, whoever wants it.
    Constraint,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::ComfyUi => f.write_str("ComfyUI"),
            Who::Node(name) => write!(f, "the node {name}"),
            Who::Added => f.write_str("`comfrey py add`"),
            Who::Group(name) => write!(f, "the group {name}"),
            Who::Constraint => f.write_str("`comfrey constraint add`"),
        }
    }
}

impl Conflict {
    /// Reads what `uv lock` wrote about `manifest`; nothing where it tells of something else.
    pub fn parse(stderr: &str, manifest: &str) -> Option<Self> {
        let begin = stderr.find("No solution found")?;
        let said: Vec<&str> = stderr[begin..]
            .lines()
            .skip(1)
            .map(|line| line.trim_start_matches(|c: char| c.is_whitespace() || "╰─▶│├".contains(c)).trim_end())
            .take_while(|line| !line.starts_with("hint"))
            .filter(|line| !line.is_empty())
            .collect();
        let text = said.join(" ");
        let text = text.strip_prefix("cause: ").unwrap_or(&text).to_owned();
        let manifest = Manifest::parse(manifest).ok();
        let (package, sides) = sides(&text, manifest.as_ref()).unwrap_or_default();
        Some(Conflict { package, sides, text })
    }

    /// Calls nodes by these names where a manifest that does not list them yet gave only their groups.
    pub fn naming<'n>(mut self, nodes: impl IntoIterator<Item = &'n str>) -> Self {
        for node in nodes {
            let group = group_of_node(node);
            for side in &mut self.sides {
                if matches!(&side.who, Who::Node(name) if group.strip_prefix("node-") == Some(name.as_str())) {
                    side.who = Who::Node(node.to_owned());
                }
            }
        }
        self
    }

    /// The nodes that take part.
    pub fn nodes(&self) -> Vec<&str> {
        let names = self.sides.iter().filter_map(|side| match &side.who {
            Who::Node(name) => Some(name.as_str()),
            _ => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sides.is_empty() {
            return f.write_str(&self.text);
        }
        let lines = self.sides.iter().map(|Side { who, wants }| {
            let last = wants.last().map(String::as_str).unwrap_or_default();
            match wants.split_last() {
                Some((_, through)) if !through.is_empty() => {
                    format!("{who} wants {last}, through {}", through.join(" and "))
                }
                _ => format!("{who} wants {last}"),
            }
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))?;
        if let ([_], Some(package)) = (self.sides.as_slice(), &self.package) {
            write!(f, "\nno {package} that can be had satisfies that")?;
        }
        Ok(())
    }
}

/// `A depends on B`: A is a project, a group of it (`PROJECT:GROUP`), or a package.
fn steps(text: &str) -> Vec<(String, String)> {
    static STEP: OnceLock<Option<Regex>> = OnceLock::new();
    const NAME: &str =
        r"[A-Za-z0-9][A-Za-z0-9._-]*(?::[A-Za-z0-9._-]+)?(?:\[[^\]]*\])?(?:[{](?:[^}]*)[}])?(?:[=<>!~][^ ]*)?";
    let step = STEP.get_or_init(|| {
        let who = format!(r"(your project|{NAME})(?: \([^)]*\))?");
        // uv puts a constraint beside what it bounds, as if both came from one: `A depends on foo<2 and foo>=3`.
        let both = format!(r"(?: and ({NAME})(?:[,.]?$|,? and |[,.] ))?");
        Regex::new(&format!(r"(?:all versions of )?{who} depends? on (?:all versions of )?({NAME}){both}")).ok()
    });
    let Some(step) = step else { return Vec::new() };
    let premises = premises(text);
    let found = step.captures_iter(&premises);
    let step = |who: &str, what: &str| (who.to_owned(), what.trim_end_matches([',', '.']).to_owned());
    let of = |found: regex::Captures<'_>| {
        let second = found.get(3).map(|second| step(&found[1], second.as_str()));
        std::iter::once(step(&found[1], &found[2])).chain(second).collect::<Vec<_>>()
    };
    found.flat_map(of).collect()
}

/// The text without what uv concludes from it: a conclusion is a step that leaves out those between.
fn premises(text: &str) -> String {
    static KNOWN: OnceLock<Option<Regex>> = OnceLock::new();
    let mut parts = text.split("we can conclude that");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(next) = part.find("ecause ") {
            kept += &part[next..];
        }
    }
    let known =
        KNOWN.get_or_init(|| Regex::new(r"we know from \(\d+\) that (?:all versions of )?\S+ depends? on \S+").ok());
    known.as_ref().map(|known| known.replace_all(&kept, "").into_owned()).unwrap_or(kept)
}

/// The name in `name[extra]>=1`.
fn name_of(requirement: &str) -> String {
    let end = requirement.find(['=', '<', '>', '!', '~', '[', '{', ' ', ';', '@']).unwrap_or(requirement.len());
    normalized(&requirement[..end])
}

type Found = (Option<String>, Vec<Side>);

fn sides(text: &str, manifest: Option<&Manifest>) -> Option<Found> {
    let project = manifest.and_then(Manifest::project_name).map(normalized).unwrap_or_default();
    let mut wants: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut roots: Vec<(Who, String)> = Vec::new();
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    let bounds: BTreeSet<String> =
        manifest.map(Manifest::constraints).unwrap_or_default().iter().map(|bound| plain(bound)).collect();
    for (who, what) in steps(text) {
        if bounds.contains(&plain(&what)) {
            // A key that is no package's name.
            const BOUNDS: &str = "constraint-dependencies:";
            if !roots.iter().any(|(root, _)| *root == Who::Constraint) {
                roots.push((Who::Constraint, BOUNDS.to_owned()));
            }
            let known = wants.entry(BOUNDS.to_owned()).or_default();
            if !known.contains(&what) {
                known.push(what);
            }
            continue;
        }
        let root = match who.split_once(':') {
            _ if who == "your project" || normalized(&who) == project => Some(Who::ComfyUi),
            Some((name, group)) if normalized(name) == project => Some(of_group(group, manifest)),
            _ => None,
        };
        let key = match root {
            Some(root) => {
                if !roots.iter().any(|(_, key)| *key == who) {
                    roots.push((root, who.clone()));
                }
                who
            }
            None => name_of(&who),
        };
        let known = wants.entry(key).or_default();
        if !known.contains(&what) {
            known.push(what);
        }
    }
    // In the order in which the manifest has them, not in uv's, which is another one each time.
    roots.sort();
    let reached: Vec<Reached> = roots.iter().map(|(_, key)| reach(key, &wants)).collect();
    let ends = |name: &String, of: &[Reached]| {
        let paths = of.iter().filter_map(|reached| reached.get(name)).flatten();
        paths.filter_map(|path| path.last().cloned()).collect::<BTreeSet<String>>()
    };
    let names: BTreeSet<&String> = reached.iter().flat_map(BTreeMap::keys).collect();
    // What two reach and want differently; else what one wants in two ways, itself and through another package.
    let between = names.iter().find(|name| {
        let first: Vec<Reached> = reached.iter().map(shortest).collect();
        ends(name, &first).len() > 1
    });
    let within = || names.iter().find(|name| ends(name, &reached).len() > 1);
    let package = match between.or_else(within) {
        Some(name) => (*name).clone(),
        // One wish that nothing satisfies: the end of the only way.
        None => {
            let ends = reached.iter().flatten().max_by_key(|(_, paths)| paths.iter().map(Vec::len).max());
            ends.map(|(name, _)| name.clone())?
        }
    };
    let most = if between.is_some() { 1 } else { usize::MAX };
    let of = |((who, _), reached): (&(Who, String), &Reached)| {
        let paths = reached.get(&package).into_iter().flatten().take(most).cloned();
        paths.map(|wants| Side { who: who.clone(), wants }).collect::<Vec<_>>()
    };
    let sides: Vec<Side> = roots.iter().zip(&reached).flat_map(of).collect();
    (!sides.is_empty()).then_some((Some(package), sides))
}

/// Packages that something leads to, each with a way for every wish that it ends in; the shortest way first.
type Reached = BTreeMap<String, Vec<Vec<String>>>;

/// Every package that `from` leads to.
fn reach(from: &str, wants: &BTreeMap<String, Vec<String>>) -> Reached {
    let mut found = Reached::new();
    let mut open = VecDeque::from([(from.to_owned(), Vec::new())]);
    while let Some((key, path)) = open.pop_front() {
        for what in wants.get(&key).into_iter().flatten() {
            let name = name_of(what);
            let paths = found.entry(name.clone()).or_default();
            if paths.iter().any(|path: &Vec<String>| path.last() == Some(what)) {
                continue;
            }
            let path: Vec<String> = path.iter().cloned().chain([what.clone()]).collect();
            if paths.is_empty() {
                open.push_back((name, path.clone()));
            }
            paths.push(path);
        }
    }
    found
}

/// With just the shortest way to each.
fn shortest(reached: &Reached) -> Reached {
    reached.iter().map(|(name, paths)| (name.clone(), paths.iter().take(1).cloned().collect())).collect()
}

fn of_group(group: &str, manifest: Option<&Manifest>) -> Who {
    if group == ADDED {
        return Who::Added;
    }
    let nodes = manifest.map(Manifest::nodes).unwrap_or_default();
    match (nodes.keys().find(|node| group_of_node(node) == group), group.strip_prefix("node-")) {
        (Some(node), _) => Who::Node(node.clone()),
        (None, Some(name)) => Who::Node(name.to_owned()),
        (None, None) => Who::Group(group.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[project]\nname = \"comfrey-env-demo\"\n\
        [tool.comfrey.nodes.\"Node A\"]\nsource = \"manual\"\ntree = \"0000000000000000000000000000000000000000000000000000000000000000\"\n";

    fn said(text: &str) -> String {
        let text = text.replace("GROUP_A", &group_of_node("Node A"));
        let stderr =
            format!("Using CPython 3.11.7\nerror: No solution found when resolving dependencies\n  cause: {text}\n");
        Conflict::parse(&stderr, MANIFEST).unwrap().to_string()
    }

    #[test]
    fn a_constraint_is_not_taken_for_a_wish_of_what_it_bounds() {
        let manifest = format!("{MANIFEST}[tool.uv]\nconstraint-dependencies = [\"foo <2\"]\n");
        let said = |text: &str| {
            let stderr = format!("error: No solution found when resolving dependencies\n  cause: {text}\n");
            Conflict::parse(&stderr, &manifest).unwrap().to_string()
        };
        let text = "Because comfrey-env-demo:node-b depends on foo<2 and foo>=10.3.0, we can conclude that comfrey-env-demo:node-b cannot be used.\n         And because your project requires comfrey-env-demo:node-b, we can conclude that your project's requirements are unsatisfiable.";
        let expected = "the node b wants foo>=10.3.0\n`comfrey constraint add` wants foo<2";
        assert_eq!(said(text), expected);
        let other = text.replace("foo<2 and foo>=10.3.0", "foo>=10.3.0 and foo<2");
        assert_eq!(said(&other), expected);
    }

    #[test]
    fn two_nodes_that_disagree_are_named_with_the_way_to_it() {
        let text = "Because all versions of bar depend on foo<2 and all versions of baz depend on foo>=2, we can conclude that all versions of bar and all versions of baz are incompatible.\n         And because all versions of deep depend on bar, we can conclude that all versions of baz and all versions of deep are incompatible.\n         And because comfrey-env-demo:node-b depends on baz==1.0 and comfrey-env-demo:GROUP_A depends on deep, we can conclude that comfrey-env-demo:GROUP_A and comfrey-env-demo:node-b are incompatible.\n         And because your project requires comfrey-env-demo:GROUP_A and comfrey-env-demo:node-b, we can conclude that your project's requirements are unsatisfiable.";
        assert_eq!(
            said(text),
            "the node Node A wants foo<2, through deep and bar\nthe node b wants foo>=2, through baz==1.0"
        );
    }

    #[test]
    fn comfyui_and_a_node_that_disagree_are_named() {
        let text = "Because your project depends on foo==2.0 and comfrey-env-demo:node-c depends on foo==1.0, we can conclude that your project and comfrey-env-demo:node-c are incompatible.";
        assert_eq!(said(text), "ComfyUI wants foo==2.0\nthe node c wants foo==1.0");
        let text = "Because comfrey-env-demo:node-c depends on baz and all versions of baz depend on foo>=2, we can conclude that comfrey-env-demo:node-c depends on foo>=2. (1)\n\n         Because all versions of bar depend on foo<2 and all versions of deep depend on bar, we can conclude that all versions of deep depend on foo<2.\n         And because we know from (1) that comfrey-env-demo:node-c depends on foo>=2, we can conclude that comfrey-env-demo:node-c and all versions of deep are incompatible.\n         And because your project depends on deep, we can conclude that your project and comfrey-env-demo:node-c are incompatible.";
        let said = said(text);
        assert!(said.starts_with("ComfyUI wants foo<2, through deep"), "{said}");
        assert!(said.contains("\nthe node c wants foo>=2"), "{said}");
    }

    #[test]
    fn one_that_disagrees_with_itself_is_named_with_both_wishes() {
        let text = "Because all versions of baz depend on foo>=2 and your project depends on baz, we can conclude that your project depends on foo>=2.\n         And because your project depends on foo<2, we can conclude that your project's requirements are unsatisfiable.";
        assert_eq!(said(text), "ComfyUI wants foo<2\nComfyUI wants foo>=2, through baz");
    }

    #[test]
    fn what_uv_concludes_hides_no_step_between() {
        let text = "Because all versions of bar depend on foo<2 and comfrey-env-demo:node-c depends on bar>=1, we can conclude that comfrey-env-demo:node-c depends on foo<2. (1)\n\n         Because all versions of baz depend on foo>=2 and comfrey-env-demo:node-d depends on baz, we can conclude that comfrey-env-demo:node-d depends on foo>=2.\n         And because we know from (1) that comfrey-env-demo:node-c depends on foo<2, we can conclude that comfrey-env-demo:node-c and comfrey-env-demo:node-d are incompatible.";
        assert_eq!(said(text), "the node c wants foo<2, through bar>=1\nthe node d wants foo>=2, through baz");
    }

    #[test]
    fn a_wish_that_nothing_satisfies_is_named() {
        let text = "Because only foo>=1.0 is available and comfrey-env-demo:added depends on foo<1, we can conclude that comfrey-env-demo:added's requirements are unsatisfiable.";
        assert_eq!(said(text), "`comfrey py add` wants foo<1\nno foo that can be had satisfies that");
        let text = "Because nothere was not found in the package registry and comfrey-env-demo:node-b depends on nothere>3, we can conclude that comfrey-env-demo:node-b's requirements are unsatisfiable.";
        assert_eq!(said(text), "the node b wants nothere>3\nno nothere that can be had satisfies that");
    }

    #[test]
    fn words_that_are_not_understood_are_shown_as_they_are() {
        assert_eq!(said("the moon is full."), "the moon is full.");
        assert_eq!(Conflict::parse("error: something else\n", MANIFEST), None);
        // An older uv's way to draw it.
        let stderr = "  × No solution found when resolving dependencies:\n  ╰─▶ Because your project depends on a==1\n      and comfrey-env-demo:node-b depends on a==2, all is lost.\n";
        let conflict = Conflict::parse(stderr, MANIFEST).unwrap();
        assert_eq!(conflict.package.as_deref(), Some("a"));
        assert_eq!(conflict.nodes(), ["b"]);
    }
}
