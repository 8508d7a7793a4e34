//! `[tool.comfrey.environment]`: ComfyUI itself, and its Python.

use toml_edit::{Array, InlineTable, Item, Value};

use super::edit::{set, text};
use super::{ComfyUiFacts, Manifest};

impl Manifest {
    /// Where ComfyUI came from, as of the last commit.
    pub fn comfyui(&self) -> Option<ComfyUiFacts> {
        let table = self.item("tool.comfrey.environment.comfyui")?.as_table_like()?;
        Some(ComfyUiFacts {
            source: text(table, "source").unwrap_or_default(),
            url: text(table, "url"),
            reference: text(table, "ref"),
            commit: text(table, "commit"),
            version: text(table, "version"),
        })
    }

    /// The Python version that the environment was made with, such as `3.11`.
    pub fn python(&self) -> Option<String> {
        text(self.item("tool.comfrey.environment")?.as_table_like()?, "python")
    }

    /// Makes `[tool.comfrey.environment]` say this.
    pub fn set_environment(&mut self, comfyui: &ComfyUiFacts, python: Option<&str>) {
        let Some(part) = self.part("environment") else { return };
        let inline = || Item::Value(Value::InlineTable(InlineTable::new()));
        if let Some(table) = part.entry("comfyui").or_insert_with(inline).as_table_like_mut() {
            set(table, "source", Some(comfyui.source.as_str().into()));
            set(table, "url", comfyui.url.as_deref().map(Value::from));
            set(table, "ref", comfyui.reference.as_deref().map(Value::from));
            set(table, "commit", comfyui.commit.as_deref().map(Value::from));
            set(table, "version", comfyui.version.as_deref().map(Value::from));
        }
        if let Some(python) = python {
            set(part, "python", Some(python.into()));
        }
    }

    /// Makes `[project] dependencies` ComfyUI's requirements. What stands there of other packages stays, and of the same package too
    /// unless `replace` says so: someone chose it.
    pub fn merge_comfyui_requirements(&mut self, requirements: &[String], replace: bool) {
        let present = self.item("project.dependencies").and_then(Item::as_array);
        let present: Vec<String> = present.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let has = |among: &[String], wanted: &str| among.iter().any(|known| package(known) == package(wanted));
        let mut wanted: Vec<String> =
            if replace { present.into_iter().filter(|known| !has(requirements, known)).collect() } else { present };
        let kept = wanted.clone();
        wanted.splice(0..0, requirements.iter().filter(|one| !has(&kept, one)).cloned());
        let mut array = Array::from_iter(wanted.iter().map(String::as_str));
        for value in array.iter_mut() {
            value.decor_mut().set_prefix("\n    ");
        }
        if !array.is_empty() {
            array.set_trailing("\n");
            array.set_trailing_comma(true);
        }
        if let Some(project) = self.project() {
            project.insert("dependencies", Item::Value(array.into()));
        }
    }
}

/// The name of the package that a requirement is about, as PEP 503 spells it.
pub(super) fn package(requirement: &str) -> String {
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
    let name = requirement[..end.unwrap_or(requirement.len())].to_ascii_lowercase();
    name.split(['.', '_', '-']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_someone_chose_stays_beside_comfyuis_requirements() {
        let mut manifest = Manifest::parse("[project]\ndependencies = [\"Torch==2.5\", \"mine\"]\n").unwrap();
        let wanted = ["torch".to_owned(), "py_yaml>=6".to_owned()];
        manifest.merge_comfyui_requirements(&wanted, false);
        let expected = "[project]\ndependencies = [\n    \"py_yaml>=6\",\n    \"Torch==2.5\",\n    \"mine\",\n]\n";
        assert_eq!(manifest.to_string(), expected);
        manifest.merge_comfyui_requirements(&["torch".to_owned()], true);
        assert!(manifest.to_string().contains("\"torch\",\n    \"py_yaml>=6\",\n    \"mine\""), "{manifest}");
    }
}
