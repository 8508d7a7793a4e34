//! What a running environment tells of its node classes: its answer to `/object_info`.
//!
//! The lists of choices in it name loaders exactly: one that holds files of a models folder is a list of that folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::container::{Container, ContainerError, TableBuilder};
use super::loaders::{Loader, Reads, WidgetIndex};
use super::signature::Signature;

/// Its name in an environment's folder.
pub const FILE: &str = "learned.map";

/// Node classes of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    pub(super) nodes: BTreeMap<String, LearnedNode>,
}

/// A class as the environment has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedNode {
    /// The Python module that defines it, such as `nodes` or `custom_nodes.comfyui-kjnodes`.
    pub module: String,
    signature: [u8; 4],
    loaders: Vec<LearnedLoader>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LearnedLoader {
    input: String,
    /// Its place among the widgets.
    widget: u32,
    folders: Vec<String>,
    /// Choices that are no files of those folders.
    sentinels: Vec<String>,
}

impl LearnedNode {
    pub fn signature(&self) -> Signature {
        Signature::from_bytes(self.signature)
    }

    /// The folder of its package below `custom_nodes`, for a class that is not ComfyUI's own.
    pub fn package_folder(&self) -> Option<&str> {
        self.module.strip_prefix("custom_nodes.")
    }

    pub(super) fn loaders(&self) -> impl Iterator<Item = Loader> + '_ {
        self.loaders.iter().map(|loader| Loader {
            input: loader.input.clone(),
            widget: WidgetIndex::At(loader.widget as usize),
            folders: loader.folders.clone(),
            reads: Reads::File,
            sentinels: loader.sentinels.clone(),
        })
    }
}

/// Text that is no answer to `/object_info`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no answer to /object_info: {0}")]
pub struct NotObjectInfo(String);

impl Learned {
    /// Reads an answer. `files` are the model files of the environment as ComfyUI lists them, by the key of their folder.
    pub fn of_object_info(bytes: &[u8], files: &HashMap<String, HashSet<String>>) -> Result<Self, NotObjectInfo> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| NotObjectInfo(error.to_string()))?;
        let classes = value.as_object().ok_or_else(|| NotObjectInfo("an object of classes is wanted".into()))?;
        let node = |(class, about): (&String, &Value)| Some((class.clone(), node(about, files)?));
        let nodes: BTreeMap<_, _> = classes.iter().filter_map(node).collect();
        if nodes.is_empty() {
            return Err(NotObjectInfo("it holds no class".into()));
        }
        Ok(Learned { nodes })
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many classes have inputs that list model files.
    pub fn loaders(&self) -> usize {
        self.nodes.values().filter(|node| !node.loaders.is_empty()).count()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn node(&self, class: &str) -> Option<&LearnedNode> {
        self.nodes.get(class).or_else(|| self.nodes.get(class.trim()))
    }

    /// Opens the file at `path`; nothing if there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, ContainerError> {
        let Some(container) = Container::open(path)? else { return Ok(None) };
        let row = |(class, row): (&[u8], &[u8])| {
            Some((std::str::from_utf8(class).ok()?.to_owned(), postcard::from_bytes(row).ok()?))
        };
        Ok(Some(Learned { nodes: container.table(0).rows().filter_map(row).collect() }))
    }

    /// Puts this in place of the file at `path`.
    pub fn write(&self, path: &Path) -> Result<(), ContainerError> {
        let mut table = TableBuilder::default();
        for (class, node) in &self.nodes {
            let row = postcard::to_stdvec(node)
                .map_err(|error| ContainerError::Io { path: path.to_owned(), source: std::io::Error::other(error) })?;
            table.put(class.as_bytes(), row);
        }
        Container::write(path, vec![table])
    }
}

/// The types of inputs whose values stand among a node's widgets.
const WIDGETS: [&str; 5] = ["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"];

fn node(about: &Value, files: &HashMap<String, HashSet<String>>) -> Option<LearnedNode> {
    let module = about.get("python_module")?.as_str()?.to_owned();
    let mut inputs: Vec<(&str, &str)> = Vec::new();
    let mut loaders = Vec::new();
    let mut widget = 0;
    for part in ["required", "optional"] {
        for (name, declaration) in
            about.get("input").and_then(|input| input.get(part)?.as_object()).into_iter().flatten()
        {
            let kind = declaration.get(0);
            let options = declaration.get(1);
            let choices = kind.and_then(Value::as_array).or_else(|| options?.get("options")?.as_array());
            let kind = kind.and_then(Value::as_str).unwrap_or("COMBO");
            inputs.push((name, kind));
            let set = |option: &str| options.and_then(|options| options.get(option)?.as_bool()).unwrap_or_default();
            if !WIDGETS.contains(&kind) || set("forceInput") {
                continue;
            }
            if let Some((folders, sentinels)) = choices.and_then(|choices| folders_of(choices, files)) {
                loaders.push(LearnedLoader { input: name.clone(), widget, folders, sentinels });
            }
            // What becomes of a seed after a run stands behind it.
            widget += if set("control_after_generate") { 2 } else { 1 };
        }
    }
    Some(LearnedNode { module, signature: Signature::of(inputs).bytes(), loaders })
}

/// The folders whose files a list of choices holds, and the choices that are none of them. Nothing unless each folder's
/// files are all there: a list that names some files by chance is not a list of the folder.
fn folders_of(choices: &[Value], files: &HashMap<String, HashSet<String>>) -> Option<(Vec<String>, Vec<String>)> {
    let choices: Vec<String> = choices.iter().filter_map(|choice| Some(choice.as_str()?.replace('\\', "/"))).collect();
    let there: HashSet<&str> = choices.iter().map(String::as_str).collect();
    let whole = |files: &HashSet<String>| !files.is_empty() && files.iter().all(|file| there.contains(file.as_str()));
    let mut folders: Vec<String> = files.iter().filter(|(_, files)| whole(files)).map(|(key, _)| key.clone()).collect();
    folders.sort_unstable();
    if folders.is_empty() {
        return None;
    }
    let listed = |choice: &String| folders.iter().any(|folder| files[folder].contains(choice));
    let sentinels = choices.iter().filter(|choice| !listed(choice)).cloned().collect();
    Some((folders, sentinels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::reference::tests::shared_data;

    fn files(listed: &[(&str, &[&str])]) -> HashMap<String, HashSet<String>> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        listed.iter().map(|(key, files)| ((*key).to_owned(), names(files))).collect()
    }

    const ANSWER: &str = r#"{"Resize":{"input":{"required":{"image":["IMAGE"],"scale":["FLOAT",{}]}},"python_module":"custom_nodes.ann"},
      "Load":{"input":{"required":{"model":["MODEL"],"seed":["INT",{"control_after_generate":true}],"lora":[["None","a.safetensors","sub\\b.safetensors"]]},
        "optional":{"vae":["COMBO",{"options":["v.pt"]}],"mode":[["fast","slow"]]}},"python_module":"nodes"},
      "Odd":7}"#;

    #[test]
    fn lists_of_choices_name_the_folders_whose_files_they_hold() {
        let files = files(&[
            ("loras", &["a.safetensors", "sub/b.safetensors"]),
            ("vae", &["v.pt"]),
            ("clip_vision", &["c.pt"]),
        ]);
        let learned = Learned::of_object_info(ANSWER.as_bytes(), &files).unwrap();
        assert_eq!(learned.len(), 2);
        let resize = learned.node("Resize ").unwrap();
        assert_eq!((resize.signature().to_string().as_str(), resize.package_folder()), ("0523bd3a", Some("ann")));
        let load = learned.node("Load").unwrap();
        let loaders: Vec<Loader> = load.loaders().collect();
        assert_eq!(loaders.len(), 2);
        assert_eq!((loaders[0].input.as_str(), &loaders[0].folders), ("lora", &vec!["loras".to_owned()]));
        assert_eq!((loaders[0].widget, &loaders[0].sentinels), (WidgetIndex::At(2), &vec!["None".to_owned()]));
        assert_eq!((loaders[1].input.as_str(), loaders[1].widget), ("vae", WidgetIndex::At(3)));
        assert_eq!(load.package_folder(), None);
    }

    #[test]
    fn what_was_learned_is_read_back() {
        let learned = Learned::of_object_info(ANSWER.as_bytes(), &HashMap::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(Learned::open(&path).unwrap(), None);
        learned.write(&path).unwrap();
        assert_eq!(Learned::open(&path).unwrap(), Some(learned));
        assert!(Learned::of_object_info(b"[]", &HashMap::new()).is_err());
        assert!(Learned::of_object_info(b"{}", &HashMap::new()).is_err());
    }

    #[test]
    fn the_answer_of_a_real_comfyui_is_read_whole() {
        let Some(path) = shared_data("object-info-0.3.64.json") else { return };
        let learned = Learned::of_object_info(&std::fs::read(path).unwrap(), &HashMap::new()).unwrap();
        assert_eq!(learned.len(), 478);
        assert_eq!(learned.node("KSampler").unwrap().module, "nodes");
    }
}
