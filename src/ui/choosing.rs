//! Open references as questions to a person: a numbered list, with what tells the files apart.

use crate::models::IndexedFile;
use crate::object::{ObjectId, Time};
use crate::resolve::{
    Choose, ChooseError, ModelAnswer, ModelQuestion, NodeAnswer, NodeQuestion, PackageCandidate, Status,
};

use super::prompt::Prompt;
use super::report::{Align, Bytes, Table};
use super::{Exit, Failure};

/// How many files a search lists.
const LISTED: usize = 15;

/// What can be typed.
const EXPLAINED: &str = "  a number chooses, Enter leaves it open, s says it is not needed, other words search";

/// Asks a person.
pub struct Interactive<'p> {
    prompt: Prompt<'p>,
    /// True once it was said what can be typed.
    explained: bool,
}

/// What a person typed.
enum Typed {
    Number(usize),
    Leave,
    Skip,
    Search(String),
}

impl<'p> Interactive<'p> {
    pub fn new(prompt: Prompt<'p>) -> Self {
        Interactive { prompt, explained: false }
    }

    fn say(&mut self, text: &str) -> Result<(), ChooseError> {
        self.prompt.say(text).map_err(ended)
    }

    fn list(&mut self, rows: Vec<Vec<String>>) -> Result<(), ChooseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new([Align::Right, Align::Left, Align::Right]).indent(2);
        rows.into_iter().for_each(|row| table.row(row));
        let mut text = Vec::new();
        // A vector takes what is written to it.
        drop(table.write(&mut text));
        self.say(String::from_utf8_lossy(&text).trim_end())
    }

    /// Asks until something can be made of the answer.
    fn ask(&mut self, options: usize) -> Result<Typed, ChooseError> {
        if !std::mem::replace(&mut self.explained, true) {
            self.say(EXPLAINED)?;
        }
        let question = match options {
            0 => "Which? (Enter, s, or words to search for)".to_owned(),
            1 => "Which? (1, Enter, s, or words)".to_owned(),
            _ => format!("Which? (1-{options}, Enter, s, or words)"),
        };
        loop {
            let answer = self.prompt.line(&question, "").map_err(ended)?;
            return Ok(match answer.parse::<usize>() {
                Ok(number) if (1..=options).contains(&number) => Typed::Number(number - 1),
                Ok(_) if options > 0 && answer.len() < 3 => {
                    self.say(&format!("Please type a number from 1 to {options}."))?;
                    continue;
                }
                _ if answer == "?" => {
                    self.say(EXPLAINED)?;
                    continue;
                }
                _ if answer.is_empty() => Typed::Leave,
                _ if answer.eq_ignore_ascii_case("s") => Typed::Skip,
                _ => Typed::Search(answer),
            });
        }
    }
}

fn ended(failure: Failure) -> ChooseError {
    if failure.exit == Exit::Interrupted { ChooseError::Ended } else { ChooseError::Failed(failure.message) }
}

/// A file in a list: place, size, day, the first digits of its id.
fn file_row(number: usize, file: &IndexedFile) -> Vec<String> {
    let day = Time { milliseconds: file.stamp.modified / 1_000_000, offset_minutes: 0 }.to_minutes();
    let day = day.get(..10).unwrap_or(&day).to_owned();
    let digest = match (file.id, file.quick) {
        (Some(id), _) => id.short(),
        (None, Some(quick)) => format!("quick:{}", ObjectId(quick.0).short()),
        (None, None) => String::new(),
    };
    vec![format!("{}.", number + 1), file.place(), Bytes(file.size()).to_string(), day, digest]
}

fn package_row(number: usize, found: &PackageCandidate) -> Vec<String> {
    let stars = found.stars.map(|stars| format!("{stars} stars")).unwrap_or_default();
    let installed = if found.installed { "installed" } else { "" };
    let title = found.title.clone().unwrap_or_default();
    vec![format!("{}.", number + 1), found.package.clone(), stars, title, installed.to_owned()]
}

impl Choose for Interactive<'_> {
    fn model(&mut self, question: &ModelQuestion<'_>) -> Result<ModelAnswer, ChooseError> {
        let (reference, resolution) = (question.reference, question.resolution);
        let what = match resolution.status {
            Status::Ambiguous => "several files fit",
            Status::Downloadable => "not here; it can be downloaded",
            _ => "not here",
        };
        let (workflow, node, class) = (question.workflow, &reference.node, &reference.node_type);
        self.say(&format!("\n{workflow}: node {node} ({class}) wants {}: {what}", reference.value))?;
        for hint in &resolution.hints {
            self.say(&format!("  {} has that name, but {class} does not look there; move or link it", hint.local()))?;
        }
        let mut options = question.options();
        loop {
            self.list(options.iter().enumerate().map(|(number, file)| file_row(number, file)).collect())?;
            match self.ask(options.len())? {
                Typed::Number(number) => return Ok(ModelAnswer::Use(Box::new(options[number].clone()))),
                Typed::Leave => return Ok(ModelAnswer::Leave),
                Typed::Skip => return Ok(ModelAnswer::Skip),
                // What was listed can still be chosen when a search finds nothing.
                Typed::Search(words) => match question.search(&words, LISTED) {
                    found if found.is_empty() => {
                        self.say(&format!("  no file that {class} can load is like `{words}`"))?;
                    }
                    found => options = found,
                },
            }
        }
    }

    fn node(&mut self, question: &NodeQuestion<'_>) -> Result<NodeAnswer, ChooseError> {
        let (workflow, resolution) = (question.workflow, question.resolution);
        let what =
            if resolution.status == Status::Ambiguous { "several packages have it" } else { "no package is known" };
        self.say(&format!("\n{workflow}: node type {}: {what}", resolution.node_type))?;
        let mut options = resolution.candidates.clone();
        loop {
            self.list(options.iter().enumerate().map(|(number, found)| package_row(number, found)).collect())?;
            match self.ask(options.len())? {
                Typed::Number(number) => return Ok(NodeAnswer::Use(options[number].package.clone())),
                Typed::Leave => return Ok(NodeAnswer::Leave),
                Typed::Skip => return Ok(NodeAnswer::Skip),
                Typed::Search(words) => match (question.search)(&words) {
                    found if found.is_empty() => self.say(&format!("  no package is like `{words}`"))?,
                    found => options = found,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::models::inventory::tests::file;
    use crate::models::{Inventory, ModelIndex};
    use crate::observer::Silent;
    use crate::resolve::answers::{Answers, FromFile, Recording};
    use crate::resolve::rules::tests::reference;
    use crate::resolve::{
        Automatic, Installed, Known, KnownNodes, NodeNeed, Once, Owners, Package, Packages, Sources, resolve_model,
        resolve_nodes, settle_models, settle_nodes,
    };
    use crate::store::Store;

    /// One model, two of one name, one in a folder that the loader does not read, one with a name like it.
    fn inventory() -> Inventory {
        Inventory::new(vec![
            file("loras/one.pt", "1"),
            file("loras/x/twice.pt", "2"),
            file("loras/y/twice.pt", "3"),
            file("vae/elsewhere.pt", "4"),
            file("loras/ink_style_v2.pt", "5"),
        ])
    }

    struct Case {
        value: &'static str,
        /// What a person types.
        typed: &'static str,
        /// What a file of answers says.
        answer: &'static str,
        /// Status and place without anybody to ask.
        automatic: (Status, Option<&'static str>),
        /// The same when the person or the file decides.
        decided: (Status, Option<&'static str>),
        /// What is said of the answer in the file, if it is of no use.
        complaint: Option<&'static str>,
    }

    /// The cases that every strategy is tried on.
    fn cases() -> Vec<Case> {
        let case = |value, typed, answer, automatic, decided, complaint| Case {
            value,
            typed,
            answer,
            automatic,
            decided,
            complaint,
        };
        let (resolved, ambiguous, missing, skipped) =
            (Status::Resolved, Status::Ambiguous, Status::Missing, Status::Skipped);
        vec![
            // What is certain is not asked, and an answer that says the same is right.
            case(
                "one.pt",
                "",
                "use = 'loras/one.pt'",
                (resolved, Some("loras/one.pt")),
                (resolved, Some("loras/one.pt")),
                None,
            ),
            // Two of one name.
            case(
                "twice.pt",
                "2\n",
                "use = 'loras/y/twice.pt'",
                (ambiguous, None),
                (resolved, Some("loras/y/twice.pt")),
                None,
            ),
            case("twice.pt", "s\n", "skip = true", (ambiguous, None), (skipped, None), None),
            case(
                "twice.pt",
                "\n",
                "use = 'loras/z/twice.pt'",
                (ambiguous, None),
                (ambiguous, None),
                Some("no model lies at loras/z/twice.pt"),
            ),
            // A search that finds nothing leaves the list as it was.
            case(
                "twice.pt",
                "zzzz\n?\n2\n",
                "use = 'loras/y/twice.pt'",
                (ambiguous, None),
                (resolved, Some("loras/y/twice.pt")),
                None,
            ),
            // A number that is none is asked for again.
            case(
                "twice.pt",
                "7\n1\n",
                "use = 'loras/x/twice.pt'",
                (ambiguous, None),
                (resolved, Some("loras/x/twice.pt")),
                None,
            ),
            // Not where the loader looks: not even an answer can change that.
            case(
                "elsewhere.pt",
                "\n",
                "use = 'vae/elsewhere.pt'",
                (missing, None),
                (missing, None),
                Some("X cannot read vae/elsewhere.pt"),
            ),
            // A similar name is only ever chosen by someone.
            case(
                "ink-style-v1.pt",
                "1\n",
                "use = 'loras/ink_style_v2.pt'",
                (missing, None),
                (resolved, Some("loras/ink_style_v2.pt")),
                None,
            ),
            // Found by searching.
            case(
                "unheard.pt",
                "twice y\n1\n",
                "use = 'loras/y/twice.pt'",
                (missing, None),
                (resolved, Some("loras/y/twice.pt")),
                None,
            ),
            // An answer against what the rules find is named.
            case(
                "one.pt",
                "",
                "skip = true",
                (resolved, Some("loras/one.pt")),
                (resolved, Some("loras/one.pt")),
                Some("not needed: it is loras/one.pt"),
            ),
        ]
    }

    fn settled(value: &str, choose: &mut dyn Choose) -> (Status, Option<String>) {
        let (inventory, references) = (inventory(), [reference(value, &["loras"])]);
        let known = Known::new(&inventory, Sources::none());
        let mut resolutions = [resolve_model(&references[0], None, &known)];
        settle_models("workflows/a.json", &references, &mut resolutions, &known, choose, |_| true).unwrap();
        (resolutions[0].status, resolutions[0].local())
    }

    fn owned((status, place): (Status, Option<&str>)) -> (Status, Option<String>) {
        (status, place.map(str::to_owned))
    }

    #[test]
    fn the_same_cases_come_out_right_in_every_strategy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let index = ModelIndex::new(&store);
        for case in cases() {
            let name = format!("{} {:?}", case.value, case.answer);
            assert_eq!(settled(case.value, &mut Automatic), owned(case.automatic), "automatic: {name}");
            let (mut typed, mut shown) = (case.typed.as_bytes(), Vec::new());
            let mut person = Interactive::new(Prompt::new(&mut typed, &mut shown));
            let mut recording = Recording::new(&mut person);
            assert_eq!(settled(case.value, &mut recording), owned(case.decided), "interactive: {name}");
            // What a person answered, another run takes from the file.
            let recorded = Answers::parse(&recording.answers.to_string()).unwrap();
            let mut nobody = Automatic;
            let mut again = FromFile::new(&recorded, &index, &Silent, &mut nobody);
            assert_eq!(settled(case.value, &mut again), owned(case.decided), "recorded: {name}");
            assert!(again.unused().is_empty(), "{name}: {:?}", again.unused());
            let text = format!("[[model]]\nvalue = '{}'\n{}\n", case.value, case.answer);
            let answers = Answers::parse(&text).unwrap();
            let mut nobody = Automatic;
            let mut file = FromFile::new(&answers, &index, &Silent, &mut nobody);
            assert_eq!(settled(case.value, &mut file), owned(case.decided), "answers: {name}");
            match (case.complaint, file.unused().as_slice()) {
                (None, []) => {}
                (Some(wanted), [found]) => assert!(found.contains(wanted), "{name}: {found}"),
                (_, found) => panic!("{name}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_question_shows_what_tells_files_apart_and_is_asked_once() {
        let (inventory, place) = (inventory(), reference("twice.pt", &["loras"]));
        let other = crate::catalog::Reference { node: "2".into(), ..place.clone() };
        let known = Known::new(&inventory, Sources::none());
        let references = [place, other];
        let mut resolutions: Vec<_> = references.iter().map(|found| resolve_model(found, None, &known)).collect();
        let (mut typed, mut shown) = ("2\n".as_bytes(), Vec::new());
        let mut person = Interactive::new(Prompt::new(&mut typed, &mut shown));
        let mut once = Once::new(&mut person);
        settle_models("workflows/a.json", &references, &mut resolutions, &known, &mut once, |_| true).unwrap();
        assert!(resolutions.iter().all(|found| found.local().as_deref() == Some("loras/y/twice.pt")));
        let shown = String::from_utf8(shown).unwrap();
        let id = ObjectId::of_blob(b"3").short();
        assert!(shown.contains("workflows/a.json: node 1 (X) wants twice.pt: several files fit"), "{shown}");
        assert!(shown.contains("  2.  loras/y/twice.pt  1 B  1970-01-01") && shown.contains(&id), "{shown}");
        // Nobody there any more.
        let (mut typed, mut shown) = ("".as_bytes(), Vec::new());
        let mut person = Interactive::new(Prompt::new(&mut typed, &mut shown));
        let mut open = [resolve_model(&references[0], None, &known)];
        let ended = settle_models("a", &references[..1], &mut open, &known, &mut person, |_| true);
        assert_eq!(ended, Err(ChooseError::Ended));
    }

    #[test]
    fn answers_that_are_outdated_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let index = ModelIndex::new(&store);
        let gone = ObjectId::of_blob(b"gone");
        let text = format!(
            "[[model]]\nworkflow = 'b'\nvalue = 'twice.pt'\nskip = true\n[[model]]\nnode = 1\nvalue = 'old.pt'\nskip = true\n\
             [[model]]\nvalue = 'twice.pt'\nuse = 'loras/x/twice.pt'\nmodel = '{gone}'\n"
        );
        let answers = Answers::parse(&text).unwrap();
        let mut nobody = Automatic;
        let mut file = FromFile::new(&answers, &index, &Silent, &mut nobody);
        assert_eq!(settled("twice.pt", &mut file).0, Status::Ambiguous);
        let unused = file.unused();
        assert!(unused[0].ends_with("fits no reference that was looked at"), "{unused:?}");
        assert!(unused[1].ends_with("its place says `twice.pt` now"), "{unused:?}");
        assert!(unused[2].contains("another file lies at its place"), "{unused:?}");
    }

    /// Two packages that have the type `Both`.
    struct Two;

    impl Packages for Two {
        fn owners(&self, node_type: &str, _: Option<&str>) -> Owners {
            let by_type = if node_type == "Both" { vec![package("a"), package("b")] } else { Vec::new() };
            Owners { by_type, ..Owners::default() }
        }
        fn package(&self, _: &str) -> Option<Package> {
            None
        }
        fn search(&self, text: &str) -> Vec<(Package, f64)> {
            if text == "b" { vec![(package("b"), 1.0)] } else { Vec::new() }
        }
    }

    fn package(id: &str) -> Package {
        Package { id: id.into(), ..Package::default() }
    }

    #[test]
    fn node_types_are_decided_by_the_same_strategies() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let index = ModelIndex::new(&store);
        let installed = Installed::default();
        let known = KnownNodes { packages: &Two, installed: &installed };
        let settled = |node_type: &str, choose: &mut dyn Choose| {
            let needs = [NodeNeed { node_type: node_type.into(), ..NodeNeed::default() }];
            let mut found = resolve_nodes(&needs, &BTreeMap::new(), known);
            settle_nodes("workflows/a.json", &needs, &mut found, known, choose, |_| true).unwrap();
            (found[0].status, found[0].package.clone())
        };
        let cases = [
            ("Both", "2\n", "package = 'b'", (Status::Ambiguous, None), (Status::Resolved, Some("b"))),
            ("Both", "s\n", "skip = true", (Status::Ambiguous, None), (Status::Skipped, None)),
            ("None", "b\n1\n", "package = 'b'", (Status::Missing, None), (Status::Resolved, Some("b"))),
        ];
        for (node_type, typed, answer, automatic, decided) in cases {
            assert_eq!(settled(node_type, &mut Automatic), owned(automatic), "{node_type}");
            let (mut typed, mut shown) = (typed.as_bytes(), Vec::new());
            let mut person = Interactive::new(Prompt::new(&mut typed, &mut shown));
            assert_eq!(settled(node_type, &mut person), owned(decided), "{node_type}");
            let answers = Answers::parse(&format!("[[node]]\ntype = '{node_type}'\n{answer}\n")).unwrap();
            let mut nobody = Automatic;
            let mut file = FromFile::new(&answers, &index, &Silent, &mut nobody);
            assert_eq!(settled(node_type, &mut file), owned(decided), "{node_type}");
            assert!(file.unused().is_empty());
        }
    }
}
