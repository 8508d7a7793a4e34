//! The decision that every merge is made of: two versions of one thing, and the version that both came from.

/// One of the two that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What is merged into: the current branch.
    Ours,
    /// What is merged.
    Theirs,
}

/// Whose version of a thing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Both have the same.
    Same,
    /// Only this side changed it.
    From(Side),
    /// Both changed it, and not alike.
    Both,
}

/// A side that did not change a thing gives way to the other.
pub fn pick<T: PartialEq + ?Sized>(base: &T, ours: &T, theirs: &T) -> Pick {
    pick_by(base, ours, theirs, |a, b| a == b)
}

/// The same, where `same` tells what is alike.
pub fn pick_by<T: ?Sized>(base: &T, ours: &T, theirs: &T, same: impl Fn(&T, &T) -> bool) -> Pick {
    if same(ours, theirs) {
        Pick::Same
    } else if same(ours, base) {
        Pick::From(Side::Theirs)
    } else if same(theirs, base) {
        Pick::From(Side::Ours)
    } else {
        Pick::Both
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_did_not_change_gives_way() {
        assert_eq!(pick(&1, &1, &1), Pick::Same);
        assert_eq!(pick(&1, &2, &2), Pick::Same);
        assert_eq!(pick(&1, &1, &2), Pick::From(Side::Theirs));
        assert_eq!(pick(&1, &2, &1), Pick::From(Side::Ours));
        assert_eq!(pick(&1, &2, &3), Pick::Both);
    }
}
