//! What the rules ask: the files of the index and the sources that somebody knows. Maps that only some questions need are made
//! when the first of these is asked.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::catalog::{Catalog, KnownModel, folders};
use crate::digest::{QuickHash, Sha256};
use crate::models::{IndexedFile, Inventory};
use crate::object::ObjectId;

use super::similar::{Names, essence};

/// Files and sources.
pub struct Known<'a> {
    pub inventory: &'a Inventory,
    pub sources: &'a Sources,
    /// Knows where some models can be had.
    catalog: Option<&'a Catalog>,
    /// Present files by the essence of their names.
    names: OnceLock<(Names, Vec<Vec<u32>>)>,
    by_sha256: OnceLock<HashMap<Sha256, Vec<u32>>>,
    /// Present files by each folder above them, as places.
    folders: OnceLock<HashMap<String, Vec<u32>>>,
}

/// Where models can be had, by name and by hash.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    all: Vec<Source>,
    /// By name in lower case.
    by_name: HashMap<String, Vec<usize>>,
    by_sha256: HashMap<Sha256, Vec<usize>>,
    by_id: HashMap<ObjectId, usize>,
}

/// One model that somebody knows, on this machine or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    /// The directory below `models/` in which it belongs, if that is said.
    pub directory: Option<String>,
    pub urls: Vec<String>,
    pub id: Option<ObjectId>,
    pub sha256: Option<Sha256>,
    /// Bytes.
    pub size: Option<u64>,
    pub quick: Option<QuickHash>,
}

impl Sources {
    pub fn none() -> &'static Sources {
        static NONE: OnceLock<Sources> = OnceLock::new();
        NONE.get_or_init(Sources::default)
    }

    pub fn add(&mut self, source: Source) {
        let number = self.all.len();
        self.by_name.entry(source.name.to_lowercase()).or_default().push(number);
        if let Some(sha256) = source.sha256 {
            self.by_sha256.entry(sha256).or_default().push(number);
        }
        if let Some(id) = source.id {
            self.by_id.insert(id, number);
        }
        self.all.push(source);
    }

    /// What is known of the model with this id.
    pub fn with_id(&self, id: &ObjectId) -> Option<&Source> {
        self.by_id.get(id).map(|number| &self.all[*number])
    }

    pub fn with_sha256(&self, sha256: &Sha256) -> Vec<&Source> {
        self.by_sha256.get(sha256).into_iter().flatten().map(|number| &self.all[*number]).collect()
    }

    /// Models of this name that belong into one of the directories, or into nobody knows which. No directories: any.
    pub fn named(&self, name: &str, directories: &[&str]) -> Vec<&Source> {
        let named = self.by_name.get(&name.to_lowercase()).into_iter().flatten();
        named.map(|number| &self.all[*number]).filter(|source| source.is_for(directories)).collect()
    }
}

impl Source {
    /// True unless it belongs elsewhere than into one of the directories; none stand for any.
    pub fn is_for(&self, directories: &[&str]) -> bool {
        let beneath = |wanted: &&str, found: &str| {
            found == *wanted || found.strip_prefix(*wanted).is_some_and(|rest| rest.starts_with('/'))
        };
        let directory = self.directory.as_deref();
        directories.is_empty() || directory.is_none_or(|found| directories.iter().any(|one| beneath(one, found)))
    }
}

impl<'a> Known<'a> {
    pub fn new(inventory: &'a Inventory, sources: &'a Sources) -> Self {
        let (names, by_sha256, folders) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Known { inventory, sources, catalog: None, names, by_sha256, folders }
    }

    /// With the sources that a catalog lists.
    pub fn and_catalog(self, catalog: &'a Catalog) -> Self {
        Known { catalog: Some(catalog), ..self }
    }

    /// The same knowledge with other files.
    pub fn with_files<'b>(&self, inventory: &'b Inventory) -> Known<'b>
    where
        'a: 'b,
    {
        Known { catalog: self.catalog, ..Known::new(inventory, self.sources) }
    }

    /// Models of this name that the catalog lists.
    pub fn listed(&self, name: &str) -> Vec<Source> {
        let listed = self.catalog.map(|catalog| catalog.known_models(name)).unwrap_or_default().into_iter();
        let source = |model: KnownModel| Source {
            name: model.name,
            directory: model.directory,
            urls: vec![model.url],
            sha256: model.sha256.and_then(|text| text.parse().ok()),
            size: model.size,
            ..Source::default()
        };
        listed.map(source).collect()
    }

    fn present(&self) -> impl Iterator<Item = (u32, &'a IndexedFile)> {
        let files = self.inventory.files().iter().enumerate();
        files.filter(|(_, file)| file.is_present()).map(|(number, file)| (number as u32, file))
    }

    fn numbered(&self, numbers: Option<&Vec<u32>>) -> Vec<&'a IndexedFile> {
        numbers.into_iter().flatten().map(|number| &self.inventory.files()[*number as usize]).collect()
    }

    /// Present files that are known to have this SHA-256.
    pub fn with_sha256(&self, sha256: &Sha256) -> Vec<&'a IndexedFile> {
        let map = self.by_sha256.get_or_init(|| {
            let mut map: HashMap<Sha256, Vec<u32>> = HashMap::new();
            for (number, file) in self.present() {
                if let Some(sha256) = file.sha256 {
                    map.entry(sha256).or_default().push(number);
                }
            }
            map
        });
        self.numbered(map.get(sha256))
    }

    /// Present files at any depth of the folder at this place (`diffusers/some-model`).
    pub fn in_folder(&self, place: &str) -> Vec<&'a IndexedFile> {
        let map = self.folders.get_or_init(|| {
            let mut map: HashMap<String, Vec<u32>> = HashMap::new();
            for (number, file) in self.present() {
                let place = file.place();
                for (at, _) in place.match_indices('/').skip(1) {
                    map.entry(place[..at].to_owned()).or_default().push(number);
                }
            }
            map
        });
        self.numbered(map.get(place))
    }

    /// Present files whose names are like `name`, with their likeness, the most alike first.
    pub fn like(&self, name: &str, least: f64) -> Vec<(&'a IndexedFile, f64)> {
        let (names, files) = self.names.get_or_init(|| {
            let mut numbers: HashMap<String, usize> = HashMap::new();
            let mut files: Vec<Vec<u32>> = Vec::new();
            let mut names: Vec<String> = Vec::new();
            for (number, file) in self.present() {
                let essence = essence(file.name());
                let at = *numbers.entry(essence).or_insert_with_key(|essence| {
                    names.push(essence.clone());
                    files.push(Vec::new());
                    files.len() - 1
                });
                files[at].push(number);
            }
            (Names::new(names), files)
        });
        let found = names.like(&essence(name), least).into_iter();
        found.flat_map(|(at, score)| self.numbered(files.get(at)).into_iter().map(move |file| (file, score))).collect()
    }
}

/// The directories below `models/` in which the files of these folder keys are looked for, in order.
pub fn directories(keys: &[String]) -> Vec<&str> {
    keys.iter().flat_map(|key| folders::directories(key)).collect()
}
