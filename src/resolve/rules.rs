//! Which file does a reference mean? A pure function of the reference, what was said of its place, and what is known of files.
//!
//! In this order (invariant R2): what the user chose for this place; the hash that the workflow declares; the exact path in a folder that
//! the loader reads; what the last commit found for this place; the path whatever the case of letters; the file name in those folders, at
//! any depth. A file elsewhere is a hint, never a match: the loader could not read it. Files with one id are one candidate; several
//! of different ids are a choice that nobody makes silently. Similar names are suggestions and nothing else.

use crate::catalog::{Names, Reference};
use crate::models::IndexedFile;
use crate::object::ObjectId;

use super::declared_hash::DeclaredHash;
use super::known::{Known, Source, directories};
use super::memory::{Memory, Said};
use super::model::{Candidate, FoundFolder, Resolution, Rule, Similar, Status};
use super::similar::is_extension;

/// How many similar names are suggested.
const SUGGESTED: usize = 5;
/// How alike a name must be to be suggested.
const LIKENESS: f64 = 0.55;
/// What is left of the likeness of a file where the loader does not look.
const ELSEWHERE: f64 = 0.75;

/// Extensions that may be left out in a text that names an embedding (ComfyUI's `sd1_clip.py`, in its order), and those that
/// other nodes add to a name without one.
const LEFT_OUT: [&str; 6] = ["safetensors", "pt", "bin", "ckpt", "pth", "sft"];

/// Finds the file that `reference` means. `memory` is what was said of the places of its workflow.
pub fn resolve_model(reference: &Reference, memory: Option<&Memory>, known: &Known<'_>) -> Resolution {
    let question = Question::new(reference, memory, known);
    let mut found = question.answer();
    if found.status.is_open() && matches!(question.said, Some(Said::Skipped { .. })) {
        found.status = Status::Skipped;
        found.rule = Some(Rule::Manifest);
    }
    if let (Some(hash), Some(chosen)) = (&question.hash, &found.chosen) {
        found.hash_matches = hash.fits(&chosen.file);
    }
    found
}

/// True when the loader of this reference looks where the file lies.
pub fn reads(reference: &Reference, file: &IndexedFile) -> bool {
    let directories = places_of(reference);
    directories.is_empty() || is_below(&file.place(), &directories)
}

struct Question<'q, 'k> {
    reference: &'q Reference,
    known: &'q Known<'k>,
    /// Where the loader looks, in order; empty where nobody knows.
    directories: Vec<&'q str>,
    /// The path, and where its extension may be left out, with each that it may have.
    paths: Vec<String>,
    hash: Option<DeclaredHash>,
    said: Option<&'q Said>,
}

/// Where a loader looks; where nobody knows the loader, where the workflow says that the model belongs.
fn places_of(reference: &Reference) -> Vec<&str> {
    let folders = directories(&reference.folders);
    let declared = || reference.declared.as_ref().and_then(|declared| declared.directory.as_deref());
    if folders.is_empty() { declared().into_iter().collect() } else { folders }
}

impl<'q, 'k> Question<'q, 'k> {
    fn new(reference: &'q Reference, memory: Option<&'q Memory>, known: &'q Known<'k>) -> Self {
        let has_extension = reference.name.rsplit_once('.').is_some_and(|(_, extension)| is_extension(extension));
        let left_out: &[&str] = if reference.names == Names::Stem && !has_extension { &LEFT_OUT } else { &[] };
        let with = |extension: &&str| format!("{}.{extension}", reference.path);
        Question {
            reference,
            known,
            directories: places_of(reference),
            paths: std::iter::once(reference.path.clone()).chain(left_out.iter().map(with)).collect(),
            hash: reference.declared.as_ref().and_then(DeclaredHash::of),
            said: memory.and_then(|memory| memory.recall(reference)),
        }
    }

    fn answer(&self) -> Resolution {
        if let Some(Said::Chosen { .. }) = self.said
            && let Some(found) = self.remembered()
        {
            return found;
        }
        if let Some(found) = self.by_hash().or_else(|| self.exact()).or_else(|| self.folder()) {
            return found;
        }
        if self.reference.names == Names::Directory {
            return self.absent();
        }
        match self.said.and_then(Said::model) {
            // Another file of that name is not the model that was meant here before.
            Some(_) => self.remembered().unwrap_or_else(|| self.absent()),
            None => self.ignoring_case().or_else(|| self.by_name()).unwrap_or_else(|| self.absent()),
        }
    }

    fn is_readable(&self, file: &IndexedFile) -> bool {
        self.directories.is_empty() || is_below(&file.place(), &self.directories)
    }

    /// The model that was meant here before, wherever it lies now, if its loader can read it there.
    fn remembered(&self) -> Option<Resolution> {
        let id = self.said?.model()?;
        let files = self.known.inventory.with_id(&id);
        let readable: Vec<_> = files.into_iter().filter(|file| self.is_readable(file)).collect();
        self.best_placed(&readable).map(|file| Resolution::resolved(Rule::Manifest, file))
    }

    /// Of files with the same bytes the one that ComfyUI would find by itself, else the first.
    fn best_placed<'f>(&self, files: &[&'f IndexedFile]) -> Option<&'f IndexedFile> {
        let exact = |directory: &&str| {
            let wanted: Vec<String> = self.paths.iter().map(|path| format!("{directory}/{path}")).collect();
            files.iter().find(|file| wanted.contains(&file.place()))
        };
        self.directories.iter().find_map(exact).or_else(|| files.first()).copied()
    }

    fn by_hash(&self) -> Option<Resolution> {
        let files = self.with_declared_hash();
        let readable: Vec<_> = files.into_iter().filter(|file| self.is_readable(file)).collect();
        self.best_placed(&readable).map(|file| Resolution::resolved(Rule::DeclaredHash, file))
    }

    /// Files that a whole hash names. Short hashes name nothing by themselves.
    fn with_declared_hash(&self) -> Vec<&'k IndexedFile> {
        match &self.hash {
            Some(DeclaredHash::Sha256(sha256)) => self.known.with_sha256(sha256),
            Some(DeclaredHash::Blake3(id)) => self.known.inventory.with_id(id),
            Some(DeclaredHash::Short(..)) | None => Vec::new(),
        }
    }

    /// ComfyUI goes through the directories in order and takes the first file it meets, whatever the others hold.
    fn exact(&self) -> Option<Resolution> {
        let inventory = self.known.inventory;
        let mut places =
            self.directories.iter().flat_map(|directory| self.paths.iter().map(move |path| (directory, path)));
        places.find_map(|(directory, path)| {
            let file = inventory.at_place(&format!("{directory}/{path}")).into_iter().next()?;
            Some(Resolution::resolved(Rule::ExactPath, file))
        })
    }

    /// A folder of that name in which there are model files.
    fn folder(&self) -> Option<Resolution> {
        if !matches!(self.reference.names, Names::Directory | Names::FileOrDirectory) {
            return None;
        }
        self.directories.iter().find_map(|directory| {
            let local = format!("{directory}/{}", self.reference.path);
            let files: Vec<IndexedFile> = self.known.in_folder(&local).into_iter().cloned().collect();
            let found = (!files.is_empty()).then_some(FoundFolder { local, files })?;
            Some(Resolution { folder: Some(found), ..Resolution::of(Status::Resolved, Some(Rule::ExactPath)) })
        })
    }

    fn ignoring_case(&self) -> Option<Resolution> {
        let inventory = self.known.inventory;
        let at = |directory: &&str| -> Vec<&IndexedFile> {
            let places = self.paths.iter().map(|path| format!("{directory}/{path}"));
            places.flat_map(|place| inventory.at_place_ignoring_case(&place)).collect()
        };
        self.among(Rule::PathIgnoringCase, self.directories.iter().flat_map(at).collect())
    }

    fn by_name(&self) -> Option<Resolution> {
        let inventory = self.known.inventory;
        let rule = if self.directories.is_empty() { Rule::FileNameAnywhere } else { Rule::FileName };
        let names = || self.paths.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
        let readable = |files: Vec<&'k IndexedFile>| -> Vec<&'k IndexedFile> {
            files.into_iter().filter(|file| self.is_readable(file)).collect()
        };
        let exactly = readable(names().flat_map(|name| inventory.named(name)).collect());
        let found = self.among(rule, exactly);
        found.or_else(|| {
            self.among(rule, readable(names().flat_map(|name| inventory.named_ignoring_case(name)).collect()))
        })
    }

    /// One file, or several of one id, are the answer; of different ids a choice. One file that is reached in two ways, by links
    /// or through two roots, is one file. Files that are known to have another hash than the declared one are none.
    fn among(&self, rule: Rule, files: Vec<&IndexedFile>) -> Option<Resolution> {
        let mut distinct: Vec<&IndexedFile> = Vec::new();
        for file in files {
            let same = |other: &&IndexedFile| other.id.is_some() && other.id == file.id || other.stamp == file.stamp;
            let other_hash = self.hash.as_ref().and_then(|hash| hash.fits(file)) == Some(false);
            if !other_hash && !distinct.iter().any(same) {
                distinct.push(file);
            }
        }
        // A short hash does not name a file, but tells apart those that the name fits.
        let confirmed = |file: &&&IndexedFile| self.hash.as_ref().and_then(|hash| hash.fits(file)) == Some(true);
        let confirmed: Vec<&&IndexedFile> = distinct.iter().filter(confirmed).collect();
        match (distinct.as_slice(), confirmed.as_slice()) {
            ([], _) => None,
            (_, [only]) => Some(Resolution::resolved(Rule::DeclaredHash, only)),
            ([only], _) => Some(Resolution::resolved(rule, only)),
            (several, _) => {
                let mut several = several.to_vec();
                let path = &self.reference.path;
                several.sort_by_key(|file| std::cmp::Reverse(shared_folders(&file.place(), path)));
                let score = rule.score() / several.len() as f64;
                let candidates = several.into_iter().map(Candidate::of).collect();
                Some(Resolution { score, candidates, ..Resolution::of(Status::Ambiguous, Some(rule)) })
            }
        }
    }

    fn absent(&self) -> Resolution {
        let declared = self.reference.declared.as_ref().and_then(|declared| declared.url.clone());
        let wanted = self.said.and_then(Said::model);
        let known = self.sources(wanted.as_ref());
        let rule = match (wanted, &declared, known.is_empty()) {
            (Some(_), ..) => Some(Rule::Manifest),
            (None, Some(_), _) => Some(Rule::Declared),
            (None, None, false) => Some(Rule::KnownSource),
            (None, None, true) => None,
        };
        let mut sources: Vec<String> = declared.into_iter().collect();
        for url in known {
            if !sources.contains(&url) {
                sources.push(url);
            }
        }
        let status = if sources.is_empty() { Status::Missing } else { Status::Downloadable };
        let hints = self.hints(wanted.as_ref());
        let similar = self.similar(&hints);
        let hints = hints.into_iter().map(Candidate::of).collect();
        let score = match status {
            Status::Downloadable => rule.map_or(0.0, |rule| rule.score().min(Rule::Declared.score())),
            _ => 0.0,
        };
        Resolution { score, wanted, hints, similar, sources, ..Resolution::of(status, rule) }
    }

    /// Where a model with the id or the hash can be had, else one of the name.
    fn sources(&self, wanted: Option<&ObjectId>) -> Vec<String> {
        let sources = self.known.sources;
        let mut found: Vec<_> = wanted.and_then(|id| sources.with_id(id)).into_iter().collect();
        if let Some(DeclaredHash::Sha256(sha256)) = &self.hash {
            found.extend(sources.with_sha256(sha256));
        }
        let listed;
        if found.is_empty() {
            let other = |source: &&Source| match &self.hash {
                Some(DeclaredHash::Sha256(wanted)) => source.sha256.is_some_and(|sha256| sha256 != *wanted),
                _ => false,
            };
            listed = self.known.listed(&self.reference.name);
            found = sources.named(&self.reference.name, &self.directories);
            found.extend(listed.iter().filter(|source| source.is_for(&self.directories)));
            found.retain(|source| !other(source));
        }
        found.into_iter().flat_map(|source| source.urls.iter().cloned()).collect()
    }

    /// What would do if it lay elsewhere.
    fn hints(&self, wanted: Option<&ObjectId>) -> Vec<&'k IndexedFile> {
        let inventory = self.known.inventory;
        let mut found = wanted.map(|id| inventory.with_id(id)).unwrap_or_default();
        found.extend(self.with_declared_hash());
        if wanted.is_none() {
            found.extend(inventory.named_ignoring_case(&self.reference.name));
        }
        let mut hints: Vec<&IndexedFile> = Vec::new();
        for file in found.into_iter().filter(|file| !self.is_readable(file)) {
            if !hints.iter().any(|other| other.stamp == file.stamp && other.place() == file.place()) {
                hints.push(file);
            }
        }
        hints
    }

    fn similar(&self, hints: &[&IndexedFile]) -> Vec<Similar> {
        let mut found: Vec<(f64, &IndexedFile)> = Vec::new();
        for (file, likeness) in self.known.like(&self.reference.name, LIKENESS) {
            let likeness = if self.is_readable(file) { likeness } else { likeness * ELSEWHERE };
            let is_hint = hints.iter().any(|hint| hint.stamp == file.stamp);
            if likeness >= LIKENESS && !is_hint && !found.iter().any(|(_, other)| other.stamp == file.stamp) {
                found.push((likeness, file));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(SUGGESTED);
        found.into_iter().map(|(likeness, file)| Similar { candidate: Candidate::of(file), likeness }).collect()
    }
}

fn is_below(place: &str, directories: &[&str]) -> bool {
    directories.iter().any(|directory| place.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
}

/// How many folders, counted from the file, a place has in common with a path.
fn shared_folders(place: &str, path: &str) -> usize {
    let folders = |path: &'_ str| -> Vec<String> { path.rsplit('/').skip(1).map(str::to_lowercase).collect() };
    folders(place).iter().zip(&folders(path)).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::{Names, Need};
    use crate::models::Inventory;
    use crate::models::inventory::tests::file;
    use crate::resolve::{Place, Sources};
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

    pub(crate) fn resolve(reference: &Reference, inventory: &Inventory) -> Resolution {
        resolve_model(reference, None, &Known::new(inventory, Sources::none()))
    }

    fn recalled(reference: &Reference, said: Said, inventory: &Inventory) -> Resolution {
        let memory = Memory::new([(Place::of(reference), said)]);
        resolve_model(reference, Some(&memory), &Known::new(inventory, Sources::none()))
    }

    fn outcome(resolution: &Resolution) -> (Status, Option<Rule>, Option<String>) {
        (resolution.status, resolution.rule, resolution.local())
    }

    fn found(rule: Rule, place: &str) -> (Status, Option<Rule>, Option<String>) {
        (Status::Resolved, Some(rule), Some(place.to_owned()))
    }

    fn with_hash(reference: Reference, hash: &str, kind: &str) -> Reference {
        let declared = Declared { hash: Some(hash.into()), hash_type: Some(kind.into()), ..Declared::default() };
        Reference { declared: Some(declared), ..reference }
    }

    fn id(text: &str) -> ObjectId {
        ObjectId::of_blob(text.as_bytes())
    }

    #[test]
    fn rules_apply_in_their_order() {
        let inventory = Inventory::new(vec![
            file("loras/a.pt", "1"),
            file("loras/sub/A.pt", "2"),
            file("loras/Sub/b.pt", "3"),
            file("vae/c.pt", "4"),
        ]);
        let of = |path| outcome(&resolve(&reference(path, &["loras"]), &inventory));
        assert_eq!(of("a.pt"), found(Rule::ExactPath, "loras/a.pt"));
        assert_eq!(of("sub/a.pt"), found(Rule::PathIgnoringCase, "loras/sub/A.pt"));
        assert_eq!(of("b.pt"), found(Rule::FileName, "loras/Sub/b.pt"));
        assert_eq!(of("elsewhere/B.PT"), found(Rule::FileName, "loras/Sub/b.pt"));
        assert_eq!(of("none.pt"), (Status::Missing, None, None));
    }

    #[test]
    fn a_file_where_the_loader_does_not_look_is_a_hint() {
        let inventory = Inventory::new(vec![file("vae/c.pt", "4")]);
        let resolution = resolve(&reference("c.pt", &["loras"]), &inventory);
        assert_eq!((resolution.status, resolution.hints.len()), (Status::Missing, 1));
        assert_eq!(resolution.hints[0].local(), "vae/c.pt");
        // Where nobody knows what the loader reads, it may well be meant.
        let unknown = resolve(&reference("c.pt", &[]), &inventory);
        assert_eq!(outcome(&unknown), found(Rule::FileNameAnywhere, "vae/c.pt"));
        // Unless the workflow says where it belongs.
        let declared = Declared { directory: Some("loras".into()), ..Declared::default() };
        let placed = Reference { declared: Some(declared), ..reference("c.pt", &[]) };
        assert_eq!(resolve(&placed, &inventory).status, Status::Missing);
    }

    #[test]
    fn the_first_directory_wins_as_in_comfyui() {
        let inventory = Inventory::new(vec![file("clip/t.pt", "1"), file("text_encoders/t.pt", "2")]);
        let resolution = resolve(&reference("t.pt", &["text_encoders"]), &inventory);
        assert_eq!(outcome(&resolution).2.as_deref(), Some("text_encoders/t.pt"));
    }

    #[test]
    fn files_of_one_id_are_one_candidate_and_of_several_a_choice() {
        let same = Inventory::new(vec![file("loras/x/a.pt", "1"), file("loras/y/a.pt", "1")]);
        assert_eq!(resolve(&reference("a.pt", &["loras"]), &same).status, Status::Resolved);
        let different = Inventory::new(vec![file("loras/x/a.pt", "1"), file("loras/y/a.pt", "2")]);
        let resolution = resolve(&reference("a.pt", &["loras"]), &different);
        assert_eq!((resolution.status, resolution.candidates.len()), (Status::Ambiguous, 2));
        // The one whose folders are those of the workflow stands first, and is not chosen for that.
        let resolution = resolve(&reference("other/Y/a.pt", &["loras"]), &different);
        assert_eq!(resolution.status, Status::Ambiguous);
        assert_eq!(resolution.candidates[0].local(), "loras/y/a.pt");
        // Reached in two ways.
        let (one, other) = (file("loras/x/a.pt", "1"), file("loras/y/a.pt", "1"));
        let linked = IndexedFile { id: None, stamp: one.stamp, ..other };
        let linked = Inventory::new(vec![IndexedFile { id: None, ..one }, linked]);
        assert_eq!(resolve(&reference("a.pt", &["loras"]), &linked).status, Status::Resolved);
        // Nobody knows whether two files without an id are the same.
        let unknown = |path| IndexedFile { id: None, ..file(path, "1") };
        let unknown = Inventory::new(vec![unknown("loras/x/a.pt"), unknown("loras/y/a.pt")]);
        assert_eq!(resolve(&reference("a.pt", &["loras"]), &unknown).status, Status::Ambiguous);
    }

    #[test]
    fn what_is_declared_can_be_downloaded() {
        let declared =
            Declared { name: "a.pt".into(), url: Some("https://example.org/a.pt".into()), ..Declared::default() };
        let reference = Reference { declared: Some(declared), ..reference("a.pt", &["loras"]) };
        let resolution = resolve(&reference, &Inventory::default());
        assert_eq!((resolution.status, resolution.rule), (Status::Downloadable, Some(Rule::Declared)));
        assert_eq!(resolution.sources, ["https://example.org/a.pt"]);
    }

    #[test]
    fn a_source_is_known_by_name_and_folder_or_by_hash() {
        let mut sources = Sources::default();
        let sha256 = crate::digest::Sha256([7; 32]);
        let source = |name: &str, directory: &str, url: &str| Source {
            name: name.into(),
            directory: Some(directory.into()),
            urls: vec![url.into()],
            ..Source::default()
        };
        sources.add(source("A.pt", "loras", "https://example.org/1"));
        sources.add(source("a.pt", "vae", "https://example.org/2"));
        sources.add(Source { sha256: Some(sha256), ..source("z.pt", "vae", "https://example.org/3") });
        let inventory = Inventory::default();
        let known = Known::new(&inventory, &sources);
        let of = |reference: &Reference| resolve_model(reference, None, &known);
        let named = of(&reference("a.pt", &["loras"]));
        assert_eq!((named.status, named.rule), (Status::Downloadable, Some(Rule::KnownSource)));
        assert_eq!(named.sources, ["https://example.org/1"]);
        let hashed = with_hash(reference("q.pt", &["vae"]), &sha256.to_hex(), "SHA256");
        assert_eq!(of(&hashed).sources, ["https://example.org/3"]);
    }

    #[test]
    fn a_whole_hash_finds_the_file_under_any_name_and_a_short_one_only_confirms() {
        let (one, other) = (crate::digest::Sha256([0x11; 32]), crate::digest::Sha256([0x22; 32]));
        let hashed = |path, content, sha256| IndexedFile { sha256: Some(sha256), ..file(path, content) };
        let files =
            vec![hashed("loras/x/renamed.pt", "1", one), hashed("loras/a.pt", "2", other), file("vae/a.pt", "3")];
        let inventory = Inventory::new(files);
        let loras = || reference("a.pt", &["loras"]);
        let resolution = resolve(&with_hash(loras(), &one.to_hex(), "SHA256"), &inventory);
        assert_eq!(outcome(&resolution), found(Rule::DeclaredHash, "loras/x/renamed.pt"));
        assert_eq!(resolution.hash_matches, Some(true));
        // A hash that nothing here has: ComfyUI loads what is at the path, and that it is another file is said.
        let resolution = resolve(&with_hash(loras(), &"3".repeat(64), "SHA256"), &inventory);
        assert_eq!(outcome(&resolution), found(Rule::ExactPath, "loras/a.pt"));
        assert_eq!(resolution.hash_matches, Some(false));
        // In another folder it is not even the answer by name.
        let elsewhere = with_hash(reference("q/renamed.pt", &["loras"]), &"3".repeat(64), "SHA256");
        assert_eq!(resolve(&elsewhere, &inventory).status, Status::Missing);
        // BLAKE3 is what files are named by.
        let resolution = resolve(&with_hash(loras(), &id("1").to_hex(), "BLAKE3"), &inventory);
        assert_eq!(outcome(&resolution), found(Rule::DeclaredHash, "loras/x/renamed.pt"));
        // Where only a folder that the loader does not read has it, that is a hint.
        let resolution = resolve(&with_hash(reference("b.pt", &["loras"]), &id("3").to_hex(), "BLAKE3"), &inventory);
        assert_eq!((resolution.status, resolution.hints[0].local()), (Status::Missing, "vae/a.pt".into()));
        // A short hash alone finds nothing, and of two that the name fits it tells which.
        let short = &one.to_hex()[..10];
        assert_eq!(
            resolve(&with_hash(reference("q.pt", &["loras"]), short, "AutoV2"), &inventory).status,
            Status::Missing
        );
        let two = Inventory::new(vec![hashed("loras/x/n.pt", "1", one), hashed("loras/y/n.pt", "2", other)]);
        assert_eq!(resolve(&reference("n.pt", &["loras"]), &two).status, Status::Ambiguous);
        let resolution = resolve(&with_hash(reference("n.pt", &["loras"]), short, "AutoV2"), &two);
        assert_eq!(outcome(&resolution), found(Rule::DeclaredHash, "loras/x/n.pt"));
    }

    #[test]
    fn a_choice_holds_wherever_the_file_has_gone_and_only_for_its_value() {
        let place = reference("a.pt", &["loras"]);
        let chosen = || Said::Chosen { model: id("2"), value: "a.pt".into() };
        let moved =
            Inventory::new(vec![file("loras/a.pt", "1"), file("loras/q/renamed.pt", "2"), file("vae/a.pt", "2")]);
        assert_eq!(outcome(&recalled(&place, chosen(), &moved)), found(Rule::Manifest, "loras/q/renamed.pt"));
        let other = Said::Chosen { model: id("2"), value: "b.pt".into() };
        assert_eq!(outcome(&recalled(&place, other, &moved)), found(Rule::ExactPath, "loras/a.pt"));
        // Gone: what ComfyUI would load by itself counts, and nothing else is guessed.
        let gone = Inventory::new(vec![file("loras/sub/a.pt", "1")]);
        let resolution = recalled(&place, chosen(), &gone);
        assert_eq!((resolution.status, resolution.wanted), (Status::Missing, Some(id("2"))));
        assert_eq!(resolution.similar[0].candidate.local(), "loras/sub/a.pt");
    }

    #[test]
    fn what_a_commit_found_is_found_again_but_does_not_stand_before_what_comfyui_loads() {
        let place = reference("a.pt", &["loras"]);
        let fact = || Said::Found { model: id("1"), name: "a.pt".into() };
        let moved = Inventory::new(vec![file("loras/x/a.pt", "1"), file("loras/y/a.pt", "2")]);
        assert_eq!(outcome(&recalled(&place, fact(), &moved)), found(Rule::Manifest, "loras/x/a.pt"));
        let replaced = Inventory::new(vec![file("loras/a.pt", "2"), file("loras/old/a.pt", "1")]);
        assert_eq!(outcome(&recalled(&place, fact(), &replaced)), found(Rule::ExactPath, "loras/a.pt"));
        let only_elsewhere = Inventory::new(vec![file("vae/a.pt", "1")]);
        let resolution = recalled(&place, fact(), &only_elsewhere);
        assert_eq!((resolution.status, resolution.hints.len()), (Status::Missing, 1));
    }

    #[test]
    fn what_was_skipped_is_no_question_until_it_is_there() {
        let skipped = || Said::Skipped { value: "a.pt".into() };
        let place = reference("a.pt", &["loras"]);
        assert_eq!(recalled(&place, skipped(), &Inventory::default()).status, Status::Skipped);
        let there = Inventory::new(vec![file("loras/a.pt", "1")]);
        assert_eq!(outcome(&recalled(&place, skipped(), &there)), found(Rule::ExactPath, "loras/a.pt"));
        assert_eq!(recalled(&reference("b.pt", &["loras"]), skipped(), &there).status, Status::Missing);
    }

    #[test]
    fn extensions_may_be_left_out_of_embeddings_and_loras_in_text() {
        let inventory = Inventory::new(vec![
            file("embeddings/bad.pt", "1"),
            file("embeddings/bad.safetensors", "2"),
            file("loras/style/ink v1.5.safetensors", "3"),
        ]);
        let stem = |path, folder| Reference { names: Names::Stem, ..reference(path, &[folder]) };
        assert_eq!(outcome(&resolve(&stem("bad", "embeddings"), &inventory)).2.unwrap(), "embeddings/bad.safetensors");
        assert_eq!(outcome(&resolve(&stem("bad.pt", "embeddings"), &inventory)).2.unwrap(), "embeddings/bad.pt");
        let tag = resolve(&stem("ink v1.5", "loras"), &inventory);
        assert_eq!(outcome(&tag), found(Rule::FileName, "loras/style/ink v1.5.safetensors"));
    }

    #[test]
    fn a_model_that_is_a_folder_is_found_with_its_files() {
        let inventory = Inventory::new(vec![
            file("diffusers/sd-1.5/unet/model.safetensors", "1"),
            file("diffusers/sd-1.5/vae/model.safetensors", "2"),
        ]);
        let folder = |path| Reference { names: Names::Directory, ..reference(path, &["diffusers"]) };
        let resolution = resolve(&folder("sd-1.5"), &inventory);
        assert_eq!(outcome(&resolution), found(Rule::ExactPath, "diffusers/sd-1.5"));
        assert_eq!(resolution.folder.unwrap().files.len(), 2);
        assert_eq!(resolve(&folder("sd-1"), &inventory).status, Status::Missing);
    }

    #[test]
    fn similar_names_are_suggested_and_never_chosen() {
        let inventory = Inventory::new(vec![
            file("loras/ink_style_v2.safetensors", "1"),
            file("loras/unrelated.safetensors", "2"),
            file("vae/ink_style_v1.safetensors", "3"),
        ]);
        let resolution = resolve(&reference("ink-style-v1.safetensors", &["loras"]), &inventory);
        assert_eq!((resolution.status, resolution.chosen.is_none()), (Status::Missing, true));
        let similar: Vec<_> = resolution.similar.iter().map(|similar| similar.candidate.local()).collect();
        assert_eq!(similar, ["loras/ink_style_v2.safetensors", "vae/ink_style_v1.safetensors"]);
    }
}
