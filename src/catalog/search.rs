//! Packages that fit a text: by name, title, node class, author, words, in this order; and by names that are only similar.

use std::collections::HashMap;

use super::Catalog;
use super::package::{Found, Matched, Package, PackageId};

/// Below this, names are not similar.
const SIMILAR: f64 = 0.86;
/// A shorter text is similar to too much.
const SHORTEST_FOR_SIMILAR: usize = 4;

impl Catalog {
    /// Packages that fit `text`: their names, titles, node classes, authors and descriptions. The likeliest first; of equal ones, that
    /// with more stars. Upper and lower case, `-`, `_` and spaces make no difference.
    pub fn search(&self, text: &str) -> Vec<Found> {
        let wanted = Words::of(text);
        if wanted.text.is_empty() {
            return Vec::new();
        }
        let mut found: HashMap<PackageId, Found> = HashMap::new();
        let mut offer = |candidate: Found| match found.get_mut(&candidate.package.id) {
            Some(known) if known.score >= candidate.score => {}
            Some(known) => *known = candidate,
            None => {
                found.insert(candidate.package.id.clone(), candidate);
            }
        };
        for package in self.packages() {
            if let Some((score, matched)) = of_package(&wanted, &package) {
                offer(Found { package, score, matched });
            }
        }
        if let Some(registry) = &self.registry {
            for (class, owners) in registry.classes(|class| of_class(&wanted, class).is_some()) {
                let Some(score) = of_class(&wanted, class) else { continue };
                for package in owners {
                    offer(Found { package, score, matched: Matched::Class(class.to_owned()) });
                }
            }
        }
        let mut found: Vec<Found> = found.into_values().collect();
        found.sort_by(|a, b| {
            let by_score = b.score.total_cmp(&a.score);
            by_score.then(b.package.stars.cmp(&a.package.stars)).then_with(|| a.package.id.cmp(&b.package.id))
        });
        found
    }
}

/// A text as it is compared.
struct Words {
    text: String,
    words: Vec<String>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut plain = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_alphanumeric() {
                plain.extend(c.to_lowercase());
            } else if !plain.ends_with(' ') {
                plain.push(' ');
            }
        }
        let text = plain.trim().to_owned();
        Words { words: text.split(' ').map(str::to_owned).collect(), text }
    }

    /// True when each word stands in `other`.
    fn all_in(&self, other: &str) -> bool {
        self.words.iter().all(|word| other.contains(word.as_str()))
    }
}

/// How well a name fits: the whole, its beginning, a part, all words, or only similar.
fn of_name(wanted: &Words, name: &str) -> Option<f64> {
    let name = Words::of(name).text;
    if name.is_empty() {
        return None;
    }
    if name == wanted.text {
        return Some(1.0);
    }
    // The longer the part that fits, the better.
    let share = wanted.text.len().min(name.len()) as f64 / wanted.text.len().max(name.len()) as f64;
    if name.starts_with(&wanted.text) || name.strip_prefix("comfyui ").is_some_and(|rest| rest == wanted.text) {
        return Some(0.85 + 0.1 * share);
    }
    if name.contains(&wanted.text) {
        return Some(0.75 + 0.1 * share);
    }
    if wanted.all_in(&name) {
        return Some(0.65 + 0.1 * share);
    }
    if wanted.text.len() < SHORTEST_FOR_SIMILAR || share < 0.6 {
        return None;
    }
    let similar = strsim::jaro_winkler(&wanted.text, &name);
    (similar >= SIMILAR).then_some(0.6 * similar)
}

fn of_class(wanted: &Words, class: &str) -> Option<f64> {
    // A class that fits is a little less than a package of that name.
    of_name(wanted, class).map(|score| score * 0.95)
}

fn of_package(wanted: &Words, package: &Package) -> Option<(f64, Matched)> {
    let short = package.id.as_str().rsplit('/').next().unwrap_or_default();
    let of_repository = package.repository.as_deref().and_then(|url| url.trim_end_matches('/').rsplit('/').next());
    let aliases = package.aliases.iter().map(String::as_str);
    let names = [package.id.as_str(), short].into_iter().chain(of_repository).chain(aliases);
    let by_name = names.filter_map(|name| of_name(wanted, name)).max_by(f64::total_cmp);
    let by_title = package.title.as_deref().and_then(|title| of_name(wanted, title)).map(|score| score * 0.98);
    if let Some(score) = by_name.into_iter().chain(by_title).max_by(f64::total_cmp) {
        return Some((score, if by_name == Some(score) { Matched::Name } else { Matched::Title }));
    }
    let holds = |text: &Option<String>| text.as_deref().is_some_and(|text| wanted.all_in(&Words::of(text).text));
    if package.author.as_deref().is_some_and(|author| Words::of(author).text == wanted.text) {
        return Some((0.5, Matched::Author));
    }
    let in_tags = package.tags.iter().any(|tag| Words::of(tag).text == wanted.text);
    if in_tags || holds(&package.description) {
        return Some((if in_tags { 0.5 } else { 0.4 }, Matched::Description));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(wanted: &str, name: &str) -> f64 {
        of_name(&Words::of(wanted), name).unwrap_or_default()
    }

    #[test]
    fn the_better_a_name_fits_the_higher_it_scores() {
        let name = "ComfyUI-Impact-Pack";
        let steps = ["comfyui_impact pack", "impact pack", "impact", "pack impact", "comfyui impct pack", "frame"];
        let scores: Vec<f64> = steps.into_iter().map(|wanted| score(wanted, name)).collect();
        assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
        assert_eq!((scores[0], scores[5]), (1.0, 0.0));
    }

    #[test]
    fn short_texts_are_similar_to_nothing() {
        assert_eq!(score("abd", "abc"), 0.0);
        assert!(score("upscaler", "upscalr") > 0.5);
        assert!(Catalog::built_in().search("  --  ").is_empty());
    }

    #[test]
    fn a_package_is_found_by_its_name() {
        let found = Catalog::built_in().search("kjnodes");
        assert_eq!(found[0].package.id.as_str(), "kijai/ComfyUI-KJNodes");
        assert_eq!(found[0].matched, Matched::Name);
    }
}
