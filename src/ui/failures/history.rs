//! Failures of refs, revisions and operations.

use crate::history::Error;
use crate::history::error::Candidate;
use crate::object::ObjectId;
use crate::ui::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = |exit, error: &Error| Failure::new(exit, error.to_string());
        let not_found = failure(Exit::NotFound, &error);
        match error {
            Error::BadRefName { .. } | Error::Malformed { .. } => {
                failure(Exit::Usage, &error).hint("`comfrey rev-parse --help` shows how revisions are written")
            }
            Error::RefLoop { .. } => failure(Exit::Conflict, &error),
            Error::NoSuchRef { near, .. } => meant(not_found, &near, "`comfrey show-ref` lists the refs"),
            Error::Moved { .. } => {
                failure(Exit::Conflict, &error).hint("nothing was changed; look at what it is now, and decide again")
            }
            Error::Unknown { revision, near } => {
                let too_short = (1..4).contains(&revision.len()) && revision.bytes().all(|b| b.is_ascii_hexdigit());
                let otherwise = match too_short {
                    true => "the beginning of an id needs four digits at least",
                    false => "`comfrey log` lists the versions, `comfrey tag` the tags",
                };
                meant(not_found, &near, otherwise)
            }
            Error::NoSnapshotYet { .. } => not_found.hint("`comfrey commit -m MESSAGE` makes the first"),
            Error::Ambiguous { prefix, candidates, more } => ambiguous(not_found, &prefix, &candidates, more),
            Error::NoSuchVersion { .. } => not_found.hint("`comfrey log` lists the versions"),
            Error::NoSuchParent { .. } => not_found.hint("`comfrey log` shows what came before"),
            Error::NoSuchOperation { .. } => not_found.hint("`comfrey operations` lists them"),
            Error::WrongKind { .. } | Error::NotAFolder { .. } => failure(Exit::Usage, &error),
            Error::NoSuchPath { revision, near, .. } => {
                meant(not_found, &near, &format!("`comfrey ls-tree -r {revision}` lists what it holds"))
            }
            Error::NotUndoable { .. } => failure(Exit::Conflict, &error).hint("`comfrey operations` lists them"),
            Error::Missing { .. } => not_found.hint("`comfrey fsck` tells what depends on it"),
            Error::Damaged { .. } | Error::WrongObject { .. } => {
                failure(Exit::Damaged, &error).hint("`comfrey fsck` tells what depends on it")
            }
            Error::Interrupted => failure(Exit::Interrupted, &error),
            Error::Store(error) => error.into(),
        }
    }
}

/// Says what could have been meant, or where to look.
fn meant(failure: Failure, near: &[String], otherwise: &str) -> Failure {
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => failure.hint(otherwise),
        Some((only, [])) => failure.hint(format!("did you mean {only}?")),
        Some((last, others)) => failure.hint(format!("did you mean {} or {last}?", others.join(", "))),
    }
}

fn ambiguous(failure: Failure, prefix: &str, candidates: &[Candidate], more: bool) -> Failure {
    let mut message = failure.message;
    let digits = distinct(candidates).max(prefix.len() + 2);
    for candidate in candidates {
        let id = candidate.id.to_hex();
        let line = format!("\n  {} {:9} {}", &id[..digits.min(64)], candidate.kind.as_str(), candidate.about);
        message.push_str(line.trim_end());
    }
    if more {
        message.push_str("\n  …");
    }
    Failure::new(failure.exit, message).hint("type more digits")
}

/// How many digits tell the candidates apart.
fn distinct(candidates: &[Candidate]) -> usize {
    let mut ids: Vec<ObjectId> = candidates.iter().map(|candidate| candidate.id).collect();
    ids.sort_unstable();
    let common = |pair: &[ObjectId]| {
        let (a, b) = (pair[0].to_hex(), pair[1].to_hex());
        a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
    };
    ids.windows(2).map(common).max().unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    #[test]
    fn an_ambiguous_prefix_shows_enough_digits_to_choose_by() {
        let id = |last: u8| {
            let mut bytes = [0xab; 32];
            bytes[6] = last;
            ObjectId(bytes)
        };
        let candidate = |last, kind, about: &str| Candidate { id: id(last), kind, about: about.into() };
        let candidates = vec![candidate(1, Kind::Snapshot, "2026-11-20 10:00 first"), candidate(2, Kind::Blob, "")];
        let failure = Failure::from(Error::Ambiguous { prefix: "abab".into(), candidates, more: false });
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(
            failure.message,
            "`abab` is ambiguous: 2 objects begin with it\n  abababababab01 snapshot  2026-11-20 10:00 first\n  abababababab02 blob"
        );
    }

    #[test]
    fn what_could_be_meant_is_said_in_a_sentence() {
        let unknown = |near: &[&str]| {
            let near = near.iter().map(|name| (*name).to_owned()).collect();
            Failure::from(Error::Unknown { revision: "abc".into(), near }).hint.unwrap()
        };
        assert_eq!(unknown(&["main"]), "did you mean `main`?");
        assert_eq!(unknown(&["a", "b", "c"]), "did you mean `a`, `b` or `c`?");
        assert_eq!(unknown(&[]), "the beginning of an id needs four digits at least");
    }
}
