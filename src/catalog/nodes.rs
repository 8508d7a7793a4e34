//! ComfyUI's own node classes.
//!
//! Read from the sources of ComfyUI 0.3.64, from the node definitions of frontend 1.58.1 and from the node pages of
//! comfyui-embedded-docs 0.5.15; that is ComfyUI up to 0.38.1. Classes that were removed since stay in the list, so that older
//! workflows are understood.

use super::table::Table;

/// One class a line, sorted by bytes: the class, its module (empty where only newer lists have it), and `removed`.
static TABLE: Table = Table::new(include_str!("data/builtin-nodes.tsv"));

/// The newest version of ComfyUI that the list covers.
pub const READ_FROM: &str = "0.38.1";

/// A class of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinNode {
    pub class: &'static str,
    /// The file of ComfyUI that defines it, where it was read from source.
    pub module: Option<&'static str>,
    pub part: Part,
    /// False for a class that newer versions no longer have.
    pub current: bool,
}

/// Which part of ComfyUI a class belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Core,
    Extras,
    /// Calls a paid service.
    Api,
    /// Only in the editor.
    Frontend,
    /// Newer than the sources that were read.
    Unknown,
}

/// The built-in class of this name: as written, else trimmed (a class id can end in spaces).
pub fn builtin(class: &str) -> Option<BuiltinNode> {
    find(class).or_else(|| find(class.trim()))
}

/// Every built-in class, sorted by name.
pub fn all() -> impl Iterator<Item = BuiltinNode> {
    TABLE.lines().iter().map(|line| parse(line))
}

fn find(class: &str) -> Option<BuiltinNode> {
    TABLE.lines_of(class).next().map(parse)
}

fn parse(line: &'static str) -> BuiltinNode {
    let mut columns = line.split('\t');
    let class = columns.next().unwrap_or_default();
    let module = columns.next().unwrap_or_default();
    let part = match module {
        "" => Part::Unknown,
        "frontend" => Part::Frontend,
        "nodes.py" => Part::Core,
        module if module.starts_with("comfy_api_nodes/") => Part::Api,
        _ => Part::Extras,
    };
    let in_a_file = !matches!(part, Part::Unknown | Part::Frontend);
    BuiltinNode { class, module: in_a_file.then_some(module), part, current: columns.next().is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_class_is_found() {
        let classes: Vec<&str> = all().map(|node| node.class).collect();
        assert_eq!(classes.len(), 1067);
        assert!(classes.is_sorted_by(|a, b| a < b));
        for class in classes {
            assert_eq!(builtin(class).unwrap().class, class);
        }
        for absent in ["", "A", "KSample", "KSamplerr", "zzz", "ähnlich"] {
            assert_eq!(builtin(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_class_says_its_part_and_whether_it_is_still_there() {
        let sampler = builtin("KSampler ").unwrap();
        assert_eq!((sampler.part, sampler.module, sampler.current), (Part::Core, Some("nodes.py"), true));
        assert_eq!(builtin("Note").unwrap().part, Part::Frontend);
        assert_eq!(builtin("Note").unwrap().module, None);
        assert!(all().filter(|node| !node.current).count() > 30);
    }

    #[test]
    fn the_table_agrees_with_the_facts_it_was_made_from() {
        let Some(facts) = crate::catalog::reference::tests::shared_data("comfyui-builtin-nodes.json") else { return };
        let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(facts).unwrap()).unwrap();
        for fact in facts["nodes"].as_array().unwrap() {
            let node = builtin(fact["name"].as_str().unwrap()).unwrap();
            assert_eq!(node.module, fact["module"].as_str(), "{}", node.class);
            assert_eq!(node.current, fact["current"].as_bool().unwrap(), "{}", node.class);
        }
    }
}
