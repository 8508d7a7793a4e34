//! Which workflow an argument means: a file, `REV:path`, or a name in the environment at work.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::environment::Environment;
use crate::environment::snapshot_tree::workflow_key;
use crate::object::{Kind, RelativePath};
use crate::ui::failure::closest;
use crate::ui::{Exit, Failure, Session};
use crate::workflow::file::{self, Held};
use crate::workflow::{Workflow, read};

/// A workflow's document, with what to call it.
pub struct Named {
    pub name: String,
    /// Its key in the manifest, where it was named as one of the environment's.
    pub key: Option<String>,
    pub held: Held,
}

/// A workflow of an environment.
pub struct InEnvironment {
    /// In a snapshot.
    pub path: RelativePath,
    /// On this machine.
    pub file: PathBuf,
}

impl Named {
    /// The workflow: of media what ran, with what only the editor's graph says.
    pub fn workflow(&self) -> Result<Workflow<'_>, Failure> {
        self.held.workflow().map_err(|error| about(&self.name, error.into()))
    }

    /// The document as a workflow. `document` is one of `held`'s.
    pub fn read<'d>(&self, document: &'d [u8]) -> Result<Workflow<'d>, Failure> {
        read(document).map_err(|error| about(&self.name, error.into()))
    }
}

/// Opens what `word` means: `-` is standard input, then comes a file, then `REV:path`, then a name.
pub fn open(word: &str, session: &mut Session<'_>) -> Result<Named, Failure> {
    if word == "-" {
        let mut bytes = Vec::new();
        session.input.read_to_end(&mut bytes).map_err(|error| Failure::io("standard input", &error))?;
        let held = file::of_bytes(bytes).map_err(|error| about("standard input", error.into()))?;
        return Ok(Named { name: "standard input".into(), key: None, held });
    }
    if Path::new(word).is_file() {
        return at(word.to_owned(), Path::new(word));
    }
    if word.contains(':') {
        return in_snapshot(word, session);
    }
    let found = in_environment(word, session)?;
    Ok(Named { key: workflow_key(&found.path), ..at(found.path.to_string(), &found.file)? })
}

/// A workflow of the environment at work as it is in `HEAD`, and as it is now. `word` is a name or the file itself.
pub fn before_and_now(word: &str, session: &mut Session<'_>) -> Result<(Named, Named), Failure> {
    let found = in_environment(word, session)?;
    let before = in_snapshot(&format!("HEAD:{}", found.path), session)?;
    Ok((before, at(found.path.to_string(), &found.file)?))
}

fn at(name: String, path: &Path) -> Result<Named, Failure> {
    match file::open(path) {
        Ok(held) => Ok(Named { name, key: None, held }),
        Err(file::HeldError::Io(error)) => Err(Failure::io(&name, &error)),
        Err(error) => Err(about(&name, error.into())),
    }
}

fn in_snapshot(revision: &str, session: &mut Session<'_>) -> Result<Named, Failure> {
    let revisions = session.revisions()?;
    let found = revisions.view()?.resolve(revision)?;
    if found.kind != Kind::Blob {
        let message = format!("`{revision}` is a {}, and a file is wanted", found.kind);
        return Err(Failure::new(Exit::Usage, message).hint("name a workflow: REV:workflows/NAME.json"));
    }
    let held = file::of_bytes(revisions.store.read_text(&found.id)?).map_err(|error| about(revision, error.into()))?;
    Ok(Named { name: revision.to_owned(), key: None, held })
}

/// The workflow of the environment at work that has this name, with or without its folder and suffix, or that is this file.
fn in_environment(word: &str, session: &mut Session<'_>) -> Result<InEnvironment, Failure> {
    let environment = session.working()?.environment;
    let file = Path::new(word).canonicalize().ok();
    let mut all = workflows(&environment)?;
    let is_meant = |found: &InEnvironment| {
        let path = found.path.as_str();
        let key = workflow_key(&found.path).unwrap_or_default();
        [key.as_str(), path].contains(&word)
            || path.strip_prefix("workflows/") == Some(word)
            || (file.is_some() && found.file.canonicalize().ok() == file)
    };
    if let Some(position) = all.iter().position(is_meant) {
        return Ok(all.swap_remove(position));
    }
    let keys: Vec<String> = all.iter().filter_map(|found| workflow_key(&found.path)).collect();
    let message = format!("{word}: neither a file nor a workflow of environment {}", environment.name());
    let failure = Failure::new(Exit::NotFound, message);
    Err(match closest(word, keys.iter().map(String::as_str)) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure.hint("`comfrey workflow list` lists them"),
    })
}

/// The workflows of an environment, sorted by their paths in a snapshot. Names that cannot stand in one are left out.
pub fn workflows(environment: &Environment) -> Result<Vec<InEnvironment>, Failure> {
    let mut found = Vec::new();
    for user in environment.workflows_dirs()? {
        for entry in WalkDir::new(&user.folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
            let below = entry.path().strip_prefix(&user.folder).ok().and_then(Path::to_str);
            let below = below.map(|below| below.replace(std::path::MAIN_SEPARATOR, "/"));
            let path = below.and_then(|below| RelativePath::new(format!("{}/{below}", user.snapshot_path())).ok());
            found.extend(
                path.filter(|path| workflow_key(path).is_some())
                    .map(|path| InEnvironment { path, file: entry.path().to_owned() }),
            );
        }
    }
    found.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
    Ok(found)
}

/// Puts before a failure what it is about.
fn about(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("{name}: {}", failure.message), ..failure }
}
