//! Which file does a reference mean? A pure function of the reference and what is known of files.
//!
//! In this order (invariant R2): the exact path in a folder that the loader reads; the same whatever the case of letters; the
//! file name in those folders, at any depth. A file elsewhere is a hint, never a match: the loader could not read it. Files
//! with one id are one candidate; several of different ids are a choice that nobody makes silently.

use serde::{Serialize, Serializer};

use crate::catalog::Reference;
use crate::catalog::folders;
use crate::digest::QuickHash;
use crate::models::{IndexedFile, Inventory};
use crate::object::ObjectId;

/// The answer for a reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resolution {
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// How sure, from 0 to 1.
    pub score: f64,
    #[serde(flatten)]
    pub chosen: Option<Candidate>,
    /// What there is to choose from when it is ambiguous.
    pub candidates: Vec<Candidate>,
    /// Files of that name where the loader does not look: moved or linked, they would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Candidate>,
    /// Where it can be had.
    pub sources: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Resolved,
    /// Several files of different bytes fit equally.
    Ambiguous,
    /// Not here, but somebody says where it can be had.
    Downloadable,
    Missing,
    /// The user said that it is not needed.
    Skipped,
}

/// Which rule found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    ExactPath,
    PathIgnoringCase,
    FileName,
    /// The workflow names a URL.
    Declared,
}

impl Rule {
    fn score(self) -> f64 {
        match self {
            Rule::ExactPath => 1.0,
            Rule::PathIgnoringCase => 0.95,
            Rule::FileName => 0.8,
            Rule::Declared => 0.5,
        }
    }
}

/// A file that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id is absent while only its quick hash is known.
    pub file: IndexedFile,
}

impl Candidate {
    fn of(file: &IndexedFile) -> Self {
        Candidate { file: file.clone() }
    }

    /// Where ComfyUI sees it below `models/`.
    pub fn local(&self) -> String {
        self.file.place()
    }
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<ObjectId>,
            local: String,
            size: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            quick: Option<QuickHash>,
        }
        let IndexedFile { id, quick, .. } = self.file;
        Shown { id, local: self.local(), size: self.file.size(), quick }.serialize(serializer)
    }
}

/// Finds the file that `reference` means.
pub fn resolve_model(reference: &Reference, inventory: &Inventory) -> Resolution {
    let directories: Vec<&str> = reference.folders.iter().flat_map(|key| folders::directories(key)).collect();
    // ComfyUI goes through the directories in order and takes the first file it meets, whatever the others hold.
    for directory in &directories {
        if let Some(first) = inventory.at_place(&format!("{directory}/{}", reference.path)).first() {
            return resolved(Rule::ExactPath, first);
        }
    }
    let ignoring_case = |directory: &&str| inventory.at_place_ignoring_case(&format!("{directory}/{}", reference.path));
    let alike: Vec<_> = directories.iter().flat_map(ignoring_case).collect();
    if !alike.is_empty() {
        return among(Rule::PathIgnoringCase, &alike);
    }
    let named = |files: Vec<&'_ IndexedFile>| -> Option<Resolution> {
        let readable: Vec<_> = files.into_iter().filter(|file| is_below(&file.place(), &directories)).collect();
        if readable.is_empty() { None } else { Some(among(Rule::FileName, &readable)) }
    };
    let found =
        named(inventory.named(&reference.name)).or_else(|| named(inventory.named_ignoring_case(&reference.name)));
    found.unwrap_or_else(|| absent(reference, inventory))
}

fn is_below(place: &str, directories: &[&str]) -> bool {
    directories.iter().any(|directory| place.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
}

fn resolved(rule: Rule, file: &IndexedFile) -> Resolution {
    Resolution {
        status: Status::Resolved,
        rule: Some(rule),
        score: rule.score(),
        chosen: Some(Candidate::of(file)),
        candidates: Vec::new(),
        hints: Vec::new(),
        sources: Vec::new(),
    }
}

/// One file, or several of one id, are the answer; of different ids a choice. One file that is reached in two ways, by links
/// or through two roots, is one file.
fn among(rule: Rule, files: &[&IndexedFile]) -> Resolution {
    let mut distinct: Vec<&IndexedFile> = Vec::new();
    for file in files {
        let same = |other: &&IndexedFile| other.id.is_some() && other.id == file.id || other.stamp == file.stamp;
        if !distinct.iter().any(same) {
            distinct.push(file);
        }
    }
    match distinct.as_slice() {
        [only] => resolved(rule, only),
        several => Resolution {
            status: Status::Ambiguous,
            rule: Some(rule),
            score: rule.score() / several.len() as f64,
            chosen: None,
            candidates: several.iter().map(|file| Candidate::of(file)).collect(),
            hints: Vec::new(),
            sources: Vec::new(),
        },
    }
}

fn absent(reference: &Reference, inventory: &Inventory) -> Resolution {
    let url = reference.declared.as_ref().and_then(|declared| declared.url.clone());
    let rule = url.as_ref().map(|_| Rule::Declared);
    Resolution {
        status: if url.is_some() { Status::Downloadable } else { Status::Missing },
        rule,
        score: rule.map_or(0.0, Rule::score),
        chosen: None,
        candidates: Vec::new(),
        hints: inventory.named_ignoring_case(&reference.name).into_iter().map(Candidate::of).collect(),
        sources: url.into_iter().collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::{Names, Need};
    use crate::models::inventory::tests::file;
    use crate::workflow::Declared;

    pub(crate) fn reference(path: &str, folders: &[&str]) -> Reference {
        Reference {
            workflow: None,
            scope: Vec::new(),
            node: "1".into(),
            node_type: "X".into(),
            input: None,
            widget: Some(0),
            value: path.to_owned(),
            path: path.to_owned(),
            name: path.rsplit('/').next().unwrap().to_owned(),
            folders: folders.iter().map(|f| (*f).to_owned()).collect(),
            names: Names::File,
            need: Need::Required,
            active: true,
            declared: None,
            place: 0..0,
        }
    }

    fn outcome(resolution: &Resolution) -> (Status, Option<Rule>, Option<String>) {
        (resolution.status, resolution.rule, resolution.chosen.as_ref().map(Candidate::local))
    }

    #[test]
    fn rules_apply_in_their_order() {
        let inventory = Inventory::new(vec![
            file("loras/a.pt", "1"),
            file("loras/sub/A.pt", "2"),
            file("loras/Sub/b.pt", "3"),
            file("vae/c.pt", "4"),
        ]);
        let resolve = |path| outcome(&resolve_model(&reference(path, &["loras"]), &inventory));
        let found = |rule, place: &str| (Status::Resolved, Some(rule), Some(place.to_owned()));
        assert_eq!(resolve("a.pt"), found(Rule::ExactPath, "loras/a.pt"));
        assert_eq!(resolve("sub/a.pt"), found(Rule::PathIgnoringCase, "loras/sub/A.pt"));
        assert_eq!(resolve("b.pt"), found(Rule::FileName, "loras/Sub/b.pt"));
        assert_eq!(resolve("elsewhere/B.PT"), found(Rule::FileName, "loras/Sub/b.pt"));
        assert_eq!(resolve("none.pt"), (Status::Missing, None, None));
    }

    #[test]
    fn a_file_where_the_loader_does_not_look_is_a_hint() {
        let inventory = Inventory::new(vec![file("vae/c.pt", "4")]);
        let resolution = resolve_model(&reference("c.pt", &["loras"]), &inventory);
        assert_eq!((resolution.status, resolution.hints.len()), (Status::Missing, 1));
        assert_eq!(resolution.hints[0].local(), "vae/c.pt");
    }

    #[test]
    fn the_first_directory_wins_as_in_comfyui() {
        let inventory = Inventory::new(vec![file("clip/t.pt", "1"), file("text_encoders/t.pt", "2")]);
        let resolution = resolve_model(&reference("t.pt", &["text_encoders"]), &inventory);
        assert_eq!(outcome(&resolution).2.as_deref(), Some("text_encoders/t.pt"));
    }

    #[test]
    fn files_of_one_id_are_one_candidate_and_of_several_a_choice() {
        let same = Inventory::new(vec![file("loras/x/a.pt", "1"), file("loras/y/a.pt", "1")]);
        assert_eq!(resolve_model(&reference("a.pt", &["loras"]), &same).status, Status::Resolved);
        let different = Inventory::new(vec![file("loras/x/a.pt", "1"), file("loras/y/a.pt", "2")]);
        let resolution = resolve_model(&reference("a.pt", &["loras"]), &different);
        assert_eq!((resolution.status, resolution.candidates.len()), (Status::Ambiguous, 2));
        // Reached in two ways.
        let (one, other) = (file("loras/x/a.pt", "1"), file("loras/y/a.pt", "1"));
        let linked = IndexedFile { id: None, stamp: one.stamp, ..other };
        let linked = Inventory::new(vec![IndexedFile { id: None, ..one }, linked]);
        assert_eq!(resolve_model(&reference("a.pt", &["loras"]), &linked).status, Status::Resolved);
        // Nobody knows whether two files without an id are the same.
        let unknown = |path| IndexedFile { id: None, ..file(path, "1") };
        let unknown = Inventory::new(vec![unknown("loras/x/a.pt"), unknown("loras/y/a.pt")]);
        assert_eq!(resolve_model(&reference("a.pt", &["loras"]), &unknown).status, Status::Ambiguous);
    }

    #[test]
    fn what_is_declared_can_be_downloaded() {
        let declared =
            Declared { name: "a.pt".into(), url: Some("https://example.org/a.pt".into()), ..Declared::default() };
        let reference = Reference { declared: Some(declared), ..reference("a.pt", &["loras"]) };
        let resolution = resolve_model(&reference, &Inventory::default());
        assert_eq!((resolution.status, resolution.rule), (Status::Downloadable, Some(Rule::Declared)));
        assert_eq!(resolution.sources, ["https://example.org/a.pt"]);
    }

    #[test]
    fn a_resolution_has_the_documented_shape() {
        let inventory =
            Inventory::new(vec![file("loras/a.pt", "1"), file("loras/x/b.pt", "2"), file("loras/y/b.pt", "3")]);
        let json = |path| serde_json::to_value(resolve_model(&reference(path, &["loras"]), &inventory)).unwrap();
        let id = ObjectId::of_blob(b"1").to_hex();
        let expected = serde_json::json!({
            "status": "resolved", "rule": "exact-path", "score": 1.0, "id": id, "local": "loras/a.pt",
            "size": 1, "quick": id, "candidates": [], "sources": [],
        });
        assert_eq!(json("a.pt"), expected);
        let ambiguous = json("b.pt");
        assert_eq!(ambiguous["status"], "ambiguous");
        assert_eq!(ambiguous["candidates"][1]["local"], "loras/y/b.pt");
        assert_eq!(ambiguous["candidates"][1]["size"], 1);
    }
}
