//! Which package has a node type? A pure function of what the workflow says, what was said before, and what is known of packages.
//!
//! In this order (invariant R9): ComfyUI's own; what the user said; the registry id or repository that the workflow declares, which no guess
//! overrules; what is installed; a package that owns the name outright; type and inputs; the type alone; the form of the name;
//! likeness. One answer above the threshold is taken, several close ones are a choice.

use std::collections::{BTreeMap, HashMap};

use super::choose::{Choose, ChooseError, NodeAnswer, NodeQuestion};
use super::model::Status;
use super::node::{NodeChoice, NodeNeed, NodeResolution, NodeRule, PackageCandidate};
use super::packages::{Installed, InstalledPackage, Package, Packages, plain_id, repository_name};

/// Of several owners the first is taken when it is ahead of the second by this much.
const AHEAD: f64 = 0.15;
/// A package that is only like what is wanted is taken from this score on, and shown from the next.
const ENOUGH: f64 = 0.85;
const SHOWN: f64 = 0.5;
/// How many candidates are shown.
const MOST: usize = 8;
/// The most that stars can add: never enough to be shown for them alone.
const POPULARITY: f64 = 0.1;
/// What being installed, and what other nodes of the same package in the workflow, add.
const IS_INSTALLED: f64 = 0.2;
const TOGETHER: f64 = 0.2;

/// What the rules go by.
#[derive(Clone, Copy)]
pub struct KnownNodes<'a> {
    pub packages: &'a dyn Packages,
    pub installed: &'a Installed,
}

/// The answer for each need of one workflow, in their order.
pub fn resolve_nodes(
    needs: &[NodeNeed],
    said: &BTreeMap<String, NodeChoice>,
    known: KnownNodes<'_>,
) -> Vec<NodeResolution> {
    let mut found: Vec<Option<NodeResolution>> = needs.iter().map(|need| known.certain(need, said)).collect();
    // How many types of the workflow each package certainly has: its other nodes are likelier to be meant too.
    let mut together: HashMap<String, usize> = HashMap::new();
    for package in found.iter().flatten().filter_map(|found| found.package.as_deref()) {
        *together.entry(plain_id(package)).or_default() += 1;
    }
    for (need, found) in needs.iter().zip(&mut found) {
        if found.is_none() {
            *found = Some(known.likeliest(need, &together));
        }
    }
    found.into_iter().flatten().collect()
}

/// Asks about every type that is open and that `ask` lets through, and puts the answers into `resolutions`.
pub fn settle_nodes(
    workflow: &str,
    needs: &[NodeNeed],
    resolutions: &mut [NodeResolution],
    known: KnownNodes<'_>,
    choose: &mut dyn Choose,
    ask: impl Fn(&NodeNeed) -> bool,
) -> Result<(), ChooseError> {
    choose.look_at_nodes(workflow, resolutions);
    let search = |text: &str| known.search(text, &HashMap::new());
    for (need, resolution) in needs.iter().zip(resolutions.iter_mut()) {
        if !resolution.status.is_open() || !ask(need) {
            continue;
        }
        match choose.node(&NodeQuestion { workflow, resolution, search: &search })? {
            NodeAnswer::Leave => {}
            NodeAnswer::Skip => *resolution = NodeResolution::of(need, Status::Skipped, Some(NodeRule::Chosen)),
            NodeAnswer::Use(id) => *resolution = known.named(need, NodeRule::Chosen, &id),
        }
    }
    Ok(())
}

impl KnownNodes<'_> {
    /// What needs no weighing.
    fn certain(&self, need: &NodeNeed, said: &BTreeMap<String, NodeChoice>) -> Option<NodeResolution> {
        match said.get(&need.node_type) {
            Some(NodeChoice::Package(id)) => return Some(self.named(need, NodeRule::Manifest, id)),
            Some(NodeChoice::Skipped) => {
                return Some(NodeResolution::of(need, Status::Skipped, Some(NodeRule::Manifest)));
            }
            Some(NodeChoice::Open) | None => {}
        }
        if need.built_in {
            let found = NodeResolution::of(need, Status::Resolved, Some(NodeRule::BuiltIn));
            return Some(NodeResolution { installed: true, ..found });
        }
        if let Some(id) = need.cnr_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
            return Some(self.named(need, NodeRule::CnrId, id));
        }
        if let Some(repository) = need.aux_id.as_deref().and_then(repository_name) {
            return Some(self.named(need, NodeRule::AuxId, &repository));
        }
        if let Some(package) = self.only_with_type(&need.node_type) {
            let found = self.named(need, NodeRule::Installed, &package.name());
            let version = package.version.clone();
            return Some(NodeResolution { installed: !package.disabled, version, ..found });
        }
        let owners = self.packages.owners(&need.node_type, need.signature.as_deref());
        let is_here = |package: &&Package| self.is_installed(package);
        if let [only] = owners.by_type.iter().chain(&owners.by_pattern).filter(is_here).collect::<Vec<_>>().as_slice() {
            return Some(self.resolved(need, NodeRule::Installed, only));
        }
        match (owners.preempted.as_slice(), owners.by_signature.as_slice(), owners.by_type.as_slice()) {
            ([only], ..) => Some(self.resolved(need, NodeRule::Preemption, only)),
            ([], [only], _) => Some(self.resolved(need, NodeRule::Signature, only)),
            ([], [], [only]) => Some(self.resolved(need, NodeRule::Type, only)),
            _ => None,
        }
    }

    /// The one installed package whose files define the type; of one that is on and others that are off, the one that is on.
    fn only_with_type(&self, node_type: &str) -> Option<&InstalledPackage> {
        let all = self.installed.with_type(node_type);
        let on: Vec<_> = all.iter().filter(|package| !package.disabled).collect();
        match (on.as_slice(), all.as_slice()) {
            ([only], _) => Some(only),
            ([], [only]) => Some(only),
            _ => None,
        }
    }

    /// The likeliest of several, or what is like it.
    fn likeliest(&self, need: &NodeNeed, together: &HashMap<String, usize>) -> NodeResolution {
        let owners = self.packages.owners(&need.node_type, need.signature.as_deref());
        let exact =
            [&owners.preempted, &owners.by_signature, &owners.by_type].into_iter().find(|list| !list.is_empty());
        let (candidates, rule) = match (exact, owners.by_pattern.as_slice()) {
            (Some(several), _) => (self.ranked(several, NodeRule::Ranked, 0.4, together), NodeRule::Ranked),
            (None, [only]) => return self.resolved(need, NodeRule::Pattern, only),
            (None, []) => return self.like(need, together),
            (None, several) => (self.ranked(several, NodeRule::Pattern, 0.3, together), NodeRule::Pattern),
        };
        self.first_if_ahead(need, rule, candidates)
    }

    fn first_if_ahead(&self, need: &NodeNeed, rule: NodeRule, mut candidates: Vec<PackageCandidate>) -> NodeResolution {
        candidates.truncate(MOST);
        let ahead = match candidates.as_slice() {
            [] => return NodeResolution::of(need, Status::Missing, None),
            [_] => true,
            [first, second, ..] => first.score - second.score >= AHEAD,
        };
        let first = &candidates[0];
        if ahead {
            let package = Package {
                id: first.package.clone(),
                title: first.title.clone(),
                repository: first.repository.clone(),
                stars: first.stars,
            };
            let score = first.score.min(rule.score());
            return NodeResolution { score, candidates, ..self.resolved(need, rule, &package) };
        }
        let score = first.score / candidates.len() as f64;
        NodeResolution { score, candidates, ..NodeResolution::of(need, Status::Ambiguous, Some(rule)) }
    }

    /// Nobody has the type: packages that are like it. A package is taken only when its likeness suffices.
    fn like(&self, need: &NodeNeed, together: &HashMap<String, usize>) -> NodeResolution {
        let candidates: Vec<_> =
            self.search(&need.node_type, together).into_iter().filter(|found| found.score >= SHOWN).collect();
        match candidates.first() {
            Some(first) if first.score >= ENOUGH => self.first_if_ahead(need, NodeRule::Similar, candidates),
            _ => NodeResolution { candidates, ..NodeResolution::of(need, Status::Missing, None) },
        }
    }

    /// Packages like `text`, the likeliest first.
    fn search(&self, text: &str, together: &HashMap<String, usize>) -> Vec<PackageCandidate> {
        let found = self.packages.search(text).into_iter();
        let mut candidates: Vec<_> = found
            .map(|(package, likeness)| {
                // What speaks for a package beside its likeness counts in proportion to it.
                let base = likeness * (1.0 - POPULARITY);
                self.candidate(&package, NodeRule::Similar, base, likeness, together)
            })
            .collect();
        sort(&mut candidates);
        candidates.truncate(MOST);
        candidates
    }

    fn ranked(
        &self,
        packages: &[Package],
        rule: NodeRule,
        base: f64,
        together: &HashMap<String, usize>,
    ) -> Vec<PackageCandidate> {
        let most = packages.iter().filter_map(|package| package.stars).max().unwrap_or(0);
        let mut candidates: Vec<_> = packages
            .iter()
            .map(|package| {
                // Among owners of one name a fork has a small part of the stars of what it was made from.
                let share = package.stars.unwrap_or(0) as f64 / most.max(1) as f64;
                self.candidate(package, rule, base + 0.2 * share, 1.0, together)
            })
            .collect();
        sort(&mut candidates);
        candidates
    }

    fn candidate(
        &self,
        package: &Package,
        rule: NodeRule,
        base: f64,
        weight: f64,
        together: &HashMap<String, usize>,
    ) -> PackageCandidate {
        let stars = (1.0 + package.stars.unwrap_or(0) as f64).log10() / 5.0;
        let installed = self.is_installed(package);
        let others = together.get(&plain_id(&package.id)).copied().unwrap_or(0).min(3) as f64 / 3.0;
        let more = POPULARITY * stars.min(1.0) + if installed { IS_INSTALLED } else { 0.0 } + TOGETHER * others;
        PackageCandidate {
            package: package.id.clone(),
            title: package.title.clone(),
            repository: package.repository.clone(),
            rule,
            score: ((base + weight * more).min(1.0) * 1000.0).round() / 1000.0,
            stars: package.stars,
            installed,
        }
    }

    fn is_installed(&self, package: &Package) -> bool {
        self.installed.find(&package.id, package.repository.as_deref()).is_some_and(|found| !found.disabled)
    }

    /// The package that an id names, whether a catalog knows it or not.
    fn named(&self, need: &NodeNeed, rule: NodeRule, id: &str) -> NodeResolution {
        // The catalog may know the same under another name.
        let package = Package { id: id.to_owned(), ..self.packages.package(id).unwrap_or_default() };
        self.resolved(need, rule, &package)
    }

    fn resolved(&self, need: &NodeNeed, rule: NodeRule, package: &Package) -> NodeResolution {
        let is_core = package.id == "comfy-core";
        NodeResolution {
            package: Some(package.id.clone()),
            version: need.ver.clone(),
            installed: is_core || self.is_installed(package),
            repository: package.repository.clone(),
            ..NodeResolution::of(need, Status::Resolved, Some(rule))
        }
    }
}

fn sort(candidates: &mut [PackageCandidate]) {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.package.cmp(&b.package)));
}

#[cfg(test)]
mod tests {
    use super::super::packages::Owners;
    use super::*;

    /// Types by package, with stars.
    struct Table(Vec<(&'static str, u64, Vec<&'static str>)>);

    impl Table {
        fn of(&self, (id, stars, _): &(&'static str, u64, Vec<&'static str>)) -> Package {
            Package { id: (*id).into(), stars: Some(*stars), ..Package::default() }
        }
    }

    impl Packages for Table {
        fn owners(&self, node_type: &str, signature: Option<&str>) -> Owners {
            let having = |text: &str| -> Vec<Package> {
                self.0.iter().filter(|row| row.2.contains(&text)).map(|row| self.of(row)).collect()
            };
            Owners {
                preempted: having(&format!("!{node_type}")),
                by_signature: signature.map(|s| having(&format!("{node_type}::{s}"))).unwrap_or_default(),
                by_type: having(node_type),
                by_pattern: having(&format!("~{}", node_type.split(' ').next().unwrap())),
            }
        }

        fn package(&self, id: &str) -> Option<Package> {
            self.0.iter().find(|row| row.0 == id).map(|row| self.of(row))
        }

        fn search(&self, text: &str) -> Vec<(Package, f64)> {
            self.0.iter().map(|row| (self.of(row), strsim::normalized_levenshtein(text, row.0))).collect()
        }
    }

    fn need(node_type: &str) -> NodeNeed {
        NodeNeed { node_type: node_type.into(), ..NodeNeed::default() }
    }

    fn table() -> Table {
        Table(vec![
            ("vhs", 1000, vec!["VHS_VideoCombine", "VHS_LoadVideo", "Resize::0523bd3a", "Resize"]),
            ("vhs-fork", 3, vec!["VHS_VideoCombine", "VHS_LoadVideo", "Resize"]),
            ("ipa", 90, vec!["IPAdapter", "~mtb"]),
            ("ipa-plus", 100, vec!["IPAdapter", "IPAdapterOnly", "!Owned"]),
            ("other", 100_000, vec!["Owned"]),
        ])
    }

    fn resolve(needs: &[NodeNeed], installed: &[InstalledPackage]) -> Vec<(Status, Option<NodeRule>, Option<String>)> {
        let (table, installed) = (table(), Installed { packages: installed.to_vec() });
        let known = KnownNodes { packages: &table, installed: &installed };
        let found = resolve_nodes(needs, &BTreeMap::new(), known);
        found.into_iter().map(|found| (found.status, found.rule, found.package)).collect()
    }

    fn one(need: NodeNeed) -> (Status, Option<NodeRule>, Option<String>) {
        resolve(&[need], &[]).remove(0)
    }

    fn found(rule: NodeRule, package: &str) -> (Status, Option<NodeRule>, Option<String>) {
        (Status::Resolved, Some(rule), Some(package.into()))
    }

    #[test]
    fn evidence_counts_in_its_order() {
        assert_eq!(
            one(NodeNeed { built_in: true, ..need("KSampler") }),
            (Status::Resolved, Some(NodeRule::BuiltIn), None)
        );
        let aux = NodeNeed { aux_id: Some("O/Repo".into()), ..need("IPAdapter") };
        assert_eq!(one(aux), found(NodeRule::AuxId, "o/repo"));
        assert_eq!(one(need("Owned")), found(NodeRule::Preemption, "ipa-plus"));
        let signed = NodeNeed { signature: Some("0523bd3a".into()), ..need("Resize") };
        assert_eq!(one(signed), found(NodeRule::Signature, "vhs"));
        assert_eq!(one(need("IPAdapterOnly")), found(NodeRule::Type, "ipa-plus"));
        assert_eq!(one(need("VHS_LoadVideo")), found(NodeRule::Ranked, "vhs"));
        assert_eq!(one(need("mtb Something")), found(NodeRule::Pattern, "ipa"));
        assert_eq!(one(need("zzz")), (Status::Missing, None, None));
    }

    #[test]
    fn a_declared_package_is_never_overruled_by_a_guess() {
        let declared = NodeNeed { cnr_id: Some("mine".into()), ver: Some("1.2".into()), ..need("Owned") };
        let installed = InstalledPackage { id: Some("other".into()), ..InstalledPackage::default() };
        assert_eq!(resolve(&[declared], &[installed]), [found(NodeRule::CnrId, "mine")]);
    }

    #[test]
    fn what_is_installed_ends_it() {
        let fork = InstalledPackage { id: Some("VHS_fork".into()), ..InstalledPackage::default() };
        assert_eq!(resolve(&[need("VHS_VideoCombine")], &[fork]), [found(NodeRule::Installed, "vhs-fork")]);
        let types = ["Unheard".to_owned()].into();
        let own = InstalledPackage { folder: "my-nodes".into(), types, ..InstalledPackage::default() };
        assert_eq!(resolve(&[need("Unheard")], &[own]), [found(NodeRule::Installed, "my-nodes")]);
    }

    #[test]
    fn close_ones_are_a_choice_until_other_nodes_of_the_workflow_tell() {
        assert_eq!(one(need("IPAdapter")), (Status::Ambiguous, Some(NodeRule::Ranked), None));
        let both = resolve(&[need("IPAdapter"), need("IPAdapterOnly"), need("Owned")], &[]);
        assert_eq!(both[0], found(NodeRule::Ranked, "ipa-plus"));
    }

    #[test]
    fn stars_alone_never_suffice() {
        let (table, installed) = (Table(vec![("popular", 10_000_000, vec![])]), Installed::default());
        let known = KnownNodes { packages: &table, installed: &installed };
        let found = &resolve_nodes(&[need("zzz")], &BTreeMap::new(), known)[0];
        assert_eq!((found.status, found.candidates.len()), (Status::Missing, 0));
        let near = &resolve_nodes(&[need("populars")], &BTreeMap::new(), known)[0];
        assert_eq!((near.status, near.package.as_deref()), (Status::Resolved, Some("popular")));
    }

    #[test]
    fn what_the_user_said_stands_before_all() {
        let (table, installed) = (table(), Installed::default());
        let known = KnownNodes { packages: &table, installed: &installed };
        let said = BTreeMap::from([
            ("IPAdapter".to_owned(), NodeChoice::Package("ipa".into())),
            ("zzz".to_owned(), NodeChoice::Skipped),
        ]);
        let found = resolve_nodes(&[need("IPAdapter"), need("zzz")], &said, known);
        assert_eq!((found[0].rule, found[0].package.as_deref()), (Some(NodeRule::Manifest), Some("ipa")));
        assert_eq!(found[1].status, Status::Skipped);
    }
}
