//! The steps of the demo, and what must be true after each.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ui::Failure;

use super::installation::{self, BATCH, LANDSCAPE, LORA, MODELS, PORTRAIT, UNUSED};
use super::nodes::{self, CLONED, OWN, REGISTRY};
use super::stage::{Contents, Stage, contents, stamps};

/// The folders of the demo, below its own.
pub const COMFYUI: &str = "ComfyUI";
pub const OTHER: &str = "Other-ComfyUI";
const STUDIO: &str = "studio";
const FRIEND: &str = "friend";

/// Makes the input: an installation with everything, and one with the same models under other names.
pub fn prepare(folder: &Path, size: installation::Size) -> io::Result<()> {
    let (mine, other) = (folder.join(COMFYUI), folder.join(OTHER));
    installation::program(&mine)?;
    nodes::make(&mine.join("custom_nodes"))?;
    installation::workflows(&workflows(&mine))?;
    installation::models(&mine, size)?;
    installation::program(&other)?;
    installation::same_models(&mine, &other)
}

fn workflows(base: &Path) -> PathBuf {
    base.join("user").join("default").join("workflows")
}

/// Workflows and custom nodes: what a rollback restores.
#[derive(PartialEq, Eq)]
struct Working {
    workflows: Contents,
    nodes: Contents,
}

impl Working {
    fn of(base: &Path) -> Result<Self, Failure> {
        let read = |folder: PathBuf| contents(&folder).map_err(|e| Failure::io(folder.display(), &e));
        Ok(Working { workflows: read(workflows(base))?, nodes: read(base.join("custom_nodes"))? })
    }
}

/// Plays all of it.
pub fn play(stage: &mut Stage<'_, '_>) -> Result<(), Failure> {
    let mine = stage.path(COMFYUI);
    take_in(stage, &mine)?;
    let first = Working::of(&mine)?;
    change(stage, &mine)?;
    let second = Working::of(&mine)?;
    accident(stage, &mine, &first, &second)?;
    share(stage)?;
    receive(stage, &second)?;
    look_after(stage)
}

/// From nothing to the first snapshot.
fn take_in(stage: &mut Stage<'_, '_>, mine: &Path) -> Result<(), Failure> {
    stage.scene("A ComfyUI that has been in use for a while, and a workspace beside it")?;
    stage.go(STUDIO, STUDIO)?;
    let before = stamps(mine).map_err(|e| Failure::io(mine.display(), &e))?;
    stage.run(&["init", ".", "--models", "../ComfyUI/models"])?;
    stage.run(&["adopt", "pictures", "../ComfyUI"])?;
    let after = stamps(mine).map_err(|e| Failure::io(mine.display(), &e))?;
    stage.check("nothing in ComfyUI was touched", before == after)?;

    stage.scene("Get to know the models, and take the first snapshot")?;
    stage.run(&["models", "index"])?;
    let listed = stage.run(&["models", "list"])?;
    let known = MODELS.iter().all(|model| listed.output.contains(model.path));
    stage.check("every model file is listed", known)?;
    stage.run(&["commit", "-m", "as I found it"])?;
    let status = stage.ask(&["status", "--json"])?;
    stage.check("nothing is left to commit", status["clean"] == true)?;
    stage.check("the snapshot is v1", status["head"]["version"] == "v1")
}

/// An edit in the browser, a patch in an editor, and the second snapshot.
fn change(stage: &mut Stage<'_, '_>, mine: &Path) -> Result<(), Failure> {
    stage.scene("Work on: a workflow is edited in the browser, a custom node is patched")?;
    let portrait = workflows(mine).join(PORTRAIT);
    stage.act("in ComfyUI: portrait.json gets another seed and more steps", || {
        replace(&portrait, &[("156680208700286", "90210"), ("\"fixed\",20,", "\"fixed\",28,")])
    })?;
    stage.act("in an editor: stronger grain in custom_nodes/my_film_grain", || {
        replace(&mine.join("custom_nodes").join(OWN).join("__init__.py"), &[("STRENGTH = 0.04", "STRENGTH = 0.07")])
    })?;
    stage.run(&["status"])?;
    stage.run(&["diff"])?;
    let status = stage.ask(&["status", "--json"])?;
    let modified = |kind: &str, text: &str| status[kind]["modified"].to_string().contains(text);
    stage.check(
        "the workflow and the node are seen as modified",
        modified("workflows", "portrait") && modified("nodes", OWN),
    )?;
    stage.run(&["commit", "-m", "warmer light, more grain"])?;
    stage.run(&["tag", "keeper"])?;
    stage.run(&["log"])?;
    Ok(())
}

/// Files are lost and spoilt; going back, and taking that back.
fn accident(stage: &mut Stage<'_, '_>, mine: &Path, first: &Working, second: &Working) -> Result<(), Failure> {
    stage.scene("An accident: a workflow, half a custom node and a model are gone, another workflow is spoilt")?;
    let folder = workflows(mine);
    let lora = mine.join("models").join(LORA);
    let node = mine.join("custom_nodes").join(REGISTRY);
    stage.act(
        "rm outdoor/landscape.json, custom_nodes/comfyui-colour-lab/operators, the LoRA; batch_api.json is cut short",
        || {
            std::fs::remove_file(folder.join(LANDSCAPE))?;
            std::fs::remove_dir_all(node.join("operators"))?;
            std::fs::remove_file(&lora)?;
            installation::write(&folder.join(BATCH), "{\"3\": {\"class_ty")
        },
    )?;
    let spoilt = Working::of(mine)?;
    stage.run(&["status"])?;
    stage.run(&["rollback", "keeper"])?;
    stage.check("workflows and nodes are byte for byte those of the snapshot", Working::of(mine)? == *second)?;
    stage.check("the model is back, from the store", lora.is_file())?;

    stage.scene("Going back further, and thinking better of it")?;
    stage.run(&["rollback", "v1"])?;
    stage.check("workflows and nodes are byte for byte those of v1", Working::of(mine)? == *first)?;
    stage.run(&["undo"])?;
    stage.check("undo brings back what was there before the rollback", Working::of(mine)? == *second)?;
    stage.run(&["undo"])?;
    stage.check("and once more: even the accident, which no snapshot holds", Working::of(mine)? == spoilt)?;
    stage.run(&["rollback", "keeper"])?;
    stage.run(&["operations"])?;
    let status = stage.ask(&["status", "--json"])?;
    stage.check("nothing is left to commit", status["clean"] == true)
}

/// One file for a friend.
fn share(stage: &mut Stage<'_, '_>) -> Result<(), Failure> {
    stage.scene("Hand it to a friend: one file")?;
    stage.run(&["export", "../portraits.tar.zst", "--nodes", "all"])?;
    stage.act("the same environment gives the same bytes", || Ok(()))?;
    stage.run(&["export", "../again.tar.zst", "--nodes", "all"])?;
    let same = std::fs::read(stage.path("portraits.tar.zst")).ok() == std::fs::read(stage.path("again.tar.zst")).ok();
    stage.check("both files are equal byte for byte", same)?;
    Ok(())
}

/// A workspace of the friend's own, with the same models under other names.
fn receive(stage: &mut Stage<'_, '_>, sent: &Working) -> Result<(), Failure> {
    stage.scene("The friend has the same models under other names, and one is missing")?;
    stage.go(FRIEND, "../friend")?;
    stage.run(&["init", ".", "--models", "../Other-ComfyUI/models"])?;
    stage.run(&["models", "index"])?;
    let import = ["import", "../portraits.tar.zst", "--name", "portraits", "--comfyui", "../Other-ComfyUI"];
    let told = stage.run(&import)?.output;
    let absent = MODELS.iter().filter(|model| model.elsewhere.is_none() && model.path != UNUSED);
    stage.check("what the friend lacks is named", absent.map(|model| model.path).all(|path| told.contains(path)))?;
    let other = stage.path(OTHER);
    let received = Working::of(&other)?;
    let nodes = [CLONED, REGISTRY, OWN].iter().all(|name| node(&received, name) == node(sent, name));
    stage.check("the custom nodes came along byte for byte", nodes)?;
    let renamed = sent.workflows.get(Path::new(PORTRAIT)).map(|bytes| as_the_friend_has_it(bytes));
    let portrait = received.workflows.get(Path::new(PORTRAIT)).cloned();
    stage.check(
        "the workflow names the models as the friend has them, and is otherwise untouched",
        renamed == portrait,
    )?;
    stage.run(&["status"])?;
    let status = stage.ask(&["status", "--json"])?;
    stage.check("nothing is left to commit", status["clean"] == true)
}

/// The files of one node.
fn node<'a>(working: &'a Working, name: &str) -> Vec<(&'a PathBuf, &'a Vec<u8>)> {
    working.nodes.iter().filter(|(path, _)| path.starts_with(name)).collect()
}

/// A workflow with the names that the models have in the second installation, as ComfyUI lists them there.
fn as_the_friend_has_it(workflow: &[u8]) -> Vec<u8> {
    let listed = |path: &str| {
        let below = path.split_once('/').map_or(path, |(_, below)| below);
        Value::from(if cfg!(windows) { below.replace('/', "\\") } else { below.to_owned() }).to_string()
    };
    let mut text = String::from_utf8_lossy(workflow).into_owned();
    for (path, elsewhere) in MODELS.iter().filter_map(|model| Some((model.path, model.elsewhere?))) {
        let below = path.split_once('/').map_or(path, |(_, below)| below);
        text = text.replace(&Value::from(below).to_string(), &listed(elsewhere));
    }
    text.into_bytes()
}

/// The store is sound, and nothing in it is waste.
fn look_after(stage: &mut Stage<'_, '_>) -> Result<(), Failure> {
    stage.scene("The store is sound")?;
    stage.go(STUDIO, "../studio")?;
    stage.run(&["fsck", "--read-data"])?;
    stage.run(&["gc", "--dry-run"])?;
    Ok(())
}

/// Replaces pieces of a text file; each must be there.
fn replace(path: &Path, pieces: &[(&str, &str)]) -> io::Result<()> {
    let mut text = std::fs::read_to_string(path)?;
    for (old, new) in pieces {
        if !text.contains(old) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{old}` is not in it")));
        }
        text = text.replace(old, new);
    }
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_the_same_each_time_and_can_be_edited_as_told() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        prepare(one.path(), installation::Size::Small).unwrap();
        prepare(two.path(), installation::Size::Small).unwrap();
        assert!(contents(one.path()).unwrap() == contents(two.path()).unwrap());
        let portrait = workflows(&one.path().join(COMFYUI)).join(PORTRAIT);
        replace(&portrait, &[("156680208700286", "90210"), ("\"fixed\",20,", "\"fixed\",28,")]).unwrap();
    }
}
