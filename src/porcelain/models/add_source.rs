//! `models add-source`: remembers where a model can be had.

use serde::Serialize;

use crate::models::{ModelIndex, Sources, sources};
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::Place;
use super::selection::one_id;

const HELP: &str = "\
The next commit takes the source into the manifest, and so into snapshots and exports; `status`, `rollback` and `import` name it where the
model is missing. Nothing is fetched now: what is fetched from there later must have the model's id.

Examples:
  comfrey models add-source sd15.safetensors https://example.org/sd15.safetensors
  comfrey models add-source 3f2a91 https://example.org/x --remove";

/// Remembers a URL from which a model can be had.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct AddSource {
    /// The model: its place (loras/a.safetensors), its name, its path, or the first digits of its id
    #[arg(value_name = "MODEL")]
    model: String,
    #[arg(value_name = "URL")]
    url: String,
    /// Forget the URL instead. One that a commit took in stays in the manifest
    #[arg(long)]
    remove: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer {
    id: ObjectId,
    url: String,
    /// False: it was known (or with `--remove` was not known) already.
    changed: bool,
    dry_run: bool,
    /// All that are known now, those of the manifest left out.
    sources: Vec<String>,
}

impl Command for AddSource {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let url = sources::url(&self.url).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let Place { workspace, roots, .. } = super::place(session)?;
        let inventory = ModelIndex::new(workspace.store()).inventory(&roots)?;
        let id = one_id(&inventory, &self.model)?;
        let known = Sources::new(workspace.store());
        let changed = match (self.dry_run, self.remove) {
            (true, _) => known.of(&id)?.contains(&url) == self.remove,
            (false, false) => known.add(&id, &url)?,
            (false, true) => known.remove(&id, &url)?,
        };
        if session.globals.json {
            let sources = known.of(&id)?;
            session.print_json(&Answer { id, url, changed, dry_run: self.dry_run, sources })?;
            return Ok(Exit::Done);
        }
        let (short, would) = (id.short(), if self.dry_run { "would be " } else { "" });
        match (changed, self.remove) {
            (true, false) => writeln!(session.out, "{short} can be had from {url}")?,
            (true, true) => writeln!(session.out, "{url} {would}forgotten for {short}")?,
            (false, false) => writeln!(session.out, "{short}: this source is known already")?,
            (false, true) => writeln!(session.out, "{short}: this source was not known")?,
        }
        if changed && !self.remove && !self.dry_run {
            session.note("the next commit takes it into the manifest")?;
        }
        Ok(Exit::Done)
    }
}
