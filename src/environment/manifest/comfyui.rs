//! `[tool.comfrey.environment]`: ComfyUI itself, and its Python.

use toml_edit::{InlineTable, Item, Value};

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
}
