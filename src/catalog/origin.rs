//! Where a node's class comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workflow::DefinitionKind;

use super::nodes::{self, Part};

/// Where a node's class comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// ComfyUI itself.
    Builtin,
    /// A custom node package, be it only by a script that it adds to the editor.
    Custom,
    /// The editor itself: never run, so nothing needs to be installed for it.
    Frontend,
    /// An instance of a subgraph.
    Subgraph,
    /// An instance of a group.
    Group,
    Unknown,
}

impl Origin {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Builtin => "builtin",
            Origin::Custom => "custom",
            Origin::Frontend => "frontend",
            Origin::Subgraph => "subgraph",
            Origin::Group => "group",
            Origin::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl super::Catalog {
    /// Where `class` comes from. One that some package is known to have is custom.
    pub fn origin(&self, class: &str) -> Origin {
        if let Some(node) = nodes::builtin(class) {
            return if node.part == Part::Frontend { Origin::Frontend } else { Origin::Builtin };
        }
        if let Some(node) = self.learned(class) {
            return if node.package_folder().is_some() { Origin::Custom } else { Origin::Builtin };
        }
        match DefinitionKind::named_by(class) {
            Some(DefinitionKind::Subgraph) => Origin::Subgraph,
            Some(DefinitionKind::Group) => Origin::Group,
            None if !self.owners(class, None).is_empty() => Origin::Custom,
            None if self.registry().is_some_and(|registry| registry.is_comfyuis_alone(class.trim())) => Origin::Builtin,
            None => Origin::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_says_where_it_comes_from() {
        let catalog = super::super::Catalog::built_in();
        for (class, origin) in [
            ("KSampler", Origin::Builtin),
            ("Note", Origin::Frontend),
            ("Reroute ", Origin::Frontend),
            ("SetNode", Origin::Custom),
            ("Fast Groups Muter (rgthree)", Origin::Custom),
            ("workflow>Both", Origin::Group),
            ("28eb0ec0-5d35-42e9-8cb3-d1161dc5a231", Origin::Subgraph),
            ("Nobody knows", Origin::Unknown),
        ] {
            assert_eq!(catalog.origin(class), origin, "{class}");
        }
    }
}
