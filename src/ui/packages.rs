//! Python packages that are installed or taken away, as a person and a program read them.

use serde::Serialize;

use crate::environment::python::installed::Difference;
use crate::environment::python::requirements::Refused;

use super::{Failure, Session};

/// A package in JSON. `to` is absent for one that is taken away, `from` for one that is new.
#[derive(Debug, Serialize)]
pub struct PackageShape<'a> {
    package: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

impl<'a> From<&'a Difference> for PackageShape<'a> {
    fn from(found: &'a Difference) -> Self {
        PackageShape { package: &found.package, from: found.installed.as_deref(), to: found.locked.as_deref() }
    }
}

/// A requirement that was not taken over, in JSON.
#[derive(Debug, Serialize)]
pub struct RefusedShape<'a> {
    /// Absent for ComfyUI itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    file: &'a str,
    /// 0 where it is not known.
    line: usize,
    requirement: &'a str,
    reason: &'static str,
}

impl<'a> RefusedShape<'a> {
    pub fn of(node: Option<&'a str>, refused: &'a Refused) -> Self {
        RefusedShape {
            node,
            file: &refused.from.file,
            line: refused.from.line,
            requirement: &refused.line,
            reason: refused.reason.word(),
        }
    }
}

/// A line a package.
pub fn lines(session: &mut Session<'_>, packages: &[Difference]) -> Result<(), Failure> {
    let paint = session.paint;
    for Difference { package, locked, installed } in packages {
        match (installed, locked) {
            (None, Some(to)) => writeln!(session.out, "  {} {package} {to}", paint.good("install   "))?,
            (Some(from), None) => writeln!(session.out, "  {} {package} {from}", paint.bad("uninstall "))?,
            (from, to) => {
                let side = |version: &Option<String>| version.clone().unwrap_or_default();
                let (from, to) = (side(from), side(to));
                writeln!(session.out, "  {} {package} {from} -> {to}", paint.changed("package   "))?;
            }
        }
    }
    Ok(())
}
