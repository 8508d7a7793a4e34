//! Names that are like another one: for suggestions, never for a choice.
//!
//! Comparing a name with twenty thousand others letter by letter takes tens of milliseconds, so only those are compared that
//! share the most triples of letters with it.

use std::collections::HashMap;

use crate::catalog::folders::MODEL_EXTENSIONS;

/// How many names are compared letter by letter.
const COMPARED: usize = 24;

/// Names in an order of their own, found by the triples of letters in them.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<String>,
    /// The names that have a triple, in ascending order.
    triples: HashMap<[u8; 3], Vec<u32>>,
}

/// A name without its extension, in lower case, with one kind of separator: what is compared.
pub fn essence(name: &str) -> String {
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => stem,
        _ => name,
    };
    let plain = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let words: String = stem.to_lowercase().chars().map(plain).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True for an extension of a file with weights, in any case.
pub fn is_extension(extension: &str) -> bool {
    MODEL_EXTENSIONS.iter().chain(&["gguf", "onnx"]).any(|known| known.eq_ignore_ascii_case(extension))
}

/// How alike two [`essence`]s are, from 0 to 1: by letters, or by the words that they share in whatever order.
pub fn likeness(a: &str, b: &str) -> f64 {
    let letters = strsim::normalized_damerau_levenshtein(a, b);
    let (first, second): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
    let shared = |of: &[&str], other: &[&str]| -> usize {
        of.iter().filter(|word| other.contains(word)).map(|word| word.len()).sum()
    };
    let all = |words: &[&str]| words.iter().map(|word| word.len()).sum::<usize>();
    let words = (shared(&first, &second) + shared(&second, &first)) as f64 / (all(&first) + all(&second)).max(1) as f64;
    // Words in another order are still another name.
    letters.max(words * 0.95)
}

/// With a space before and behind, so that a name of one letter has one too.
fn triples(essence: &str) -> Vec<[u8; 3]> {
    let padded = if essence.is_empty() { String::new() } else { format!(" {essence} ") };
    padded.as_bytes().windows(3).map(|window| [window[0], window[1], window[2]]).collect()
}

impl Names {
    /// `names` by number, as [`essence`]s.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut found = Names { names: names.into_iter().collect(), triples: HashMap::new() };
        for (number, name) in found.names.iter().enumerate() {
            let number = number as u32;
            for triple in triples(name) {
                let those = found.triples.entry(triple).or_default();
                if those.last() != Some(&number) {
                    those.push(number);
                }
            }
        }
        found
    }

    /// The numbers of names like this essence, with their likeness from `least` on, the most alike first.
    pub fn like(&self, essence: &str, least: f64) -> Vec<(usize, f64)> {
        let mut lists: Vec<&Vec<u32>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for triple in triples(essence) {
            if seen.insert(triple) {
                lists.extend(self.triples.get(&triple));
            }
        }
        // What many names have tells them apart least, and costs most: the rare half suffices where it is found at all.
        lists.sort_by_key(|list| list.len());
        let rare = lists.len().div_ceil(2).max(6);
        let common = self.names.len() / 16;
        let mut counts: Vec<u16> = vec![0; self.names.len()];
        let mut touched: Vec<u32> = Vec::new();
        for (place, list) in lists.into_iter().enumerate() {
            if place >= rare && list.len() > common && !touched.is_empty() {
                break;
            }
            for number in list {
                let count = &mut counts[*number as usize];
                if *count == 0 {
                    touched.push(*number);
                }
                *count += 1;
            }
        }
        let mut most: Vec<(u16, u32)> = touched.into_iter().map(|number| (counts[number as usize], number)).collect();
        // By number among equals, so that the answer is the same every time.
        let order = |(count, number): &(u16, u32)| (std::cmp::Reverse(*count), *number);
        if most.len() > COMPARED {
            most.select_nth_unstable_by_key(COMPARED, order);
            most.truncate(COMPARED);
        }
        most.sort_unstable_by_key(order);
        let compared = most.into_iter().map(|(_, number)| {
            let number = number as usize;
            (number, likeness(essence, &self.names[number]))
        });
        let mut found: Vec<(usize, f64)> = compared.filter(|(_, score)| *score >= least).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_the_name_without_its_dress() {
        assert_eq!(essence("SDXL_v1.0-Base.safetensors"), "sdxl v1 0 base");
        assert_eq!(essence("lora.v1.5"), "lora v1 5");
    }

    #[test]
    fn similar_names_are_found_and_ranked_and_others_are_not() {
        let all =
            ["dreamshaper 8", "dreamshaper xl", "sd xl base 1 0", "base sdxl", "anything v5", "dreamshaper 8 pruned"];
        let names = Names::new(all.map(str::to_owned));
        let found: Vec<usize> =
            names.like("dreamshaper 8 inpainting", 0.4).into_iter().map(|(number, _)| number).collect();
        assert_eq!(found[..2], [0, 5]);
        assert!(!found.contains(&4), "{found:?}");
        assert_eq!(Names::new(["a".to_owned()]).like("a", 0.9), [(0, 1.0)]);
        assert_eq!(names.like("base xl sd 1 0", 0.9)[0].0, 2);
        assert!(names.like("zzz", 0.4).is_empty());
        assert!(names.like("", 0.4).is_empty());
    }
}
