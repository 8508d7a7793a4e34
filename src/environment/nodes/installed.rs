//! The packages of custom nodes that lie in an environment, and which node types their files define.
//!
//! Nothing is run. A Python file defines a type where it stands in quotation marks as a key of a mapping (`"Type": Class`,
//! `MAPPINGS["Type"] = Class`) or as the `node_id` of a schema, a script of the editor where it registers it
//! (`registerNodeType("Type"`). Sources: ComfyUI's `nodes.py` (`NODE_CLASS_MAPPINGS`), `comfy_api` (`io.Schema(node_id=…)`), the editor's
//! LiteGraph.

use std::collections::HashSet;
use std::path::Path;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use walkdir::WalkDir;

use crate::resolve::{Installed, InstalledPackage};

use super::placed::placed;

/// Larger files hold data, or what a tool wrote.
const LARGEST: u64 = 4 << 20;
/// Deeper folders hold what the package itself vendors.
const DEEPEST: usize = 6;
/// No type's name is longer.
const LONGEST: usize = 200;

/// Every package in `custom_nodes`, with the types among `wanted` that its files define; without any no file is read.
pub fn installed(custom_nodes: &Path, wanted: &HashSet<&str>) -> Installed {
    let mut found: Vec<_> = placed(custom_nodes)
        .into_iter()
        .map(|node| {
            let package = InstalledPackage {
                folder: node.name.base,
                id: node.origin.project.clone(),
                repository: node.origin.repository().map(str::to_owned),
                version: node.origin.version,
                disabled: node.name.disabled,
                types: HashSet::new(),
            };
            (node.path, package)
        })
        .collect();
    if !wanted.is_empty() {
        found.par_iter_mut().for_each(|(path, package)| package.types = types(path, wanted));
    }
    Installed { packages: found.into_iter().map(|(_, package)| package).collect() }
}

/// The types among `wanted` that the files of a package define.
fn types(package: &Path, wanted: &HashSet<&str>) -> HashSet<String> {
    let mut found = HashSet::new();
    let skipped =
        |name: &str| matches!(name, ".git" | "__pycache__" | "node_modules" | "tests") || name.starts_with('.');
    let walk = WalkDir::new(package).max_depth(DEEPEST).into_iter();
    let walk = walk.filter_entry(|entry| entry.depth() == 0 || !entry.file_name().to_str().is_some_and(skipped));
    for entry in walk.flatten() {
        let path = entry.path();
        let is_code = path.extension().is_some_and(|extension| extension == "py" || extension == "js");
        let small = || entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
        if is_code
            && small()
            && let Ok(bytes) = std::fs::read(path)
        {
            defined(&bytes, wanted, &mut found);
        }
    }
    found
}

/// Adds the types among `wanted` that a file defines to `found`.
fn defined(bytes: &[u8], wanted: &HashSet<&str>, found: &mut HashSet<String>) {
    for (start, quote) in bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\'')) {
        let rest = &bytes[start + 1..bytes.len().min(start + 2 + LONGEST)];
        let Some(length) = rest.iter().position(|byte| byte == quote || *byte == b'\n') else { continue };
        let Ok(text) = std::str::from_utf8(&rest[..length]) else { continue };
        if rest[length] == *quote && wanted.contains(text) && defines(&bytes[..start], &bytes[start + length + 2..]) {
            found.insert(text.to_owned());
        }
    }
}

/// Whether what stands around a name in quotation marks makes it a definition.
fn defines(before: &[u8], after: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let after = after.trim_ascii_start();
    let assigned = || {
        let rest = after.strip_prefix(b"]").map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| rest.starts_with(b"=") && !rest.starts_with(b"=="))
    };
    let named = before.strip_suffix(b"=").is_some_and(|before| before.trim_ascii_end().ends_with(b"node_id"));
    after.starts_with(b":") || assigned() || named || before.ends_with(b"registerNodeType(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn packages_are_listed_with_what_they_say_of_themselves_and_the_types_that_they_define() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        write(at, "Impact/pyproject.toml", "[project]\nname = \"comfyui-impact-pack\"\nversion = \"8.22.2\"\n");
        write(
            at,
            "Impact/__init__.py",
            "NODE_CLASS_MAPPINGS = {\n  \"SAMLoader\" : Loader,\n  'It\\'s': X, 'Bare': Y}\n",
        );
        write(at, "Clone/.git/HEAD", &"a".repeat(40));
        write(at, "Clone/.git/config", "[remote \"origin\"]\n\turl = https://example.org/o/clone.git\n");
        write(at, "Clone/sub/nodes.py", "M[\"Assigned\"] = A\nio.Schema(node_id=\"Schema\", x=\"Mentioned\")\n");
        write(at, "Clone/web/x.js", "LiteGraph.registerNodeType(\"Set Node\", class {})\nif (t == \"Mentioned\") {}");
        write(at, ".disabled/Off@1_2/__init__.py", "M = {\"Parked\": A}\n");
        write(at, "single.py", "M = {\"Single\": A}\n");
        write(at, "websocket_image_save.py", "M = {\"Single\": A}\n");
        write(at, "__pycache__/x.pyc", "");
        write(at, "notes.txt", "");
        let all = ["SAMLoader", "Bare", "Assigned", "Schema", "Set Node", "Mentioned", "Parked", "Single"];
        let found = installed(at, &all.into_iter().collect());
        let row = |package: &InstalledPackage| {
            let mut types: Vec<_> = package.types.iter().cloned().collect();
            types.sort();
            (package.folder.clone(), package.name(), package.disabled, types.join(","))
        };
        let mut rows: Vec<_> = found.packages.iter().map(row).collect();
        rows.sort();
        let expected = [
            ("Clone", "o/clone", false, "Assigned,Schema,Set Node"),
            ("Impact", "comfyui-impact-pack", false, "Bare,SAMLoader"),
            ("Off", "Off", true, "Parked"),
            ("single.py", "single.py", false, "Single"),
        ];
        let expected: Vec<_> = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c, d.to_owned())).into();
        assert_eq!(rows, expected);
        assert!(installed(at, &HashSet::new()).packages.iter().all(|package| package.types.is_empty()));
        assert!(installed(&at.join("nowhere"), &HashSet::new()).packages.is_empty());
    }
}
