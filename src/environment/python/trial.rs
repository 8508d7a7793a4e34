//! Packages installed as a part of a transaction: tried out, looked at, and kept or taken back with everything else.
//!
//! While a transaction is tried out the virtual environment is a twin of what it was, and what it was lies aside. So whatever becomes
//! of uv, taking back is a rename, for which neither uv nor a network is needed (invariant E31).

use std::io;

use crate::environment::environment::Environment;
use crate::environment::snapshot_tree::UV_LOCK;
use crate::environment::transaction::{Transaction, TransactionError};
use crate::observer::Observer;

use super::installed::{self, Difference};
use super::seam::io_error;
use super::stamp::Stamp;
use super::{Install, Python, PythonError, TorchBackend, twin};

/// Why a transaction with packages in it did not come about. Dropping the transaction puts everything back.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// uv said that it succeeded, and something else is there.
    #[error("the Python packages are not what uv.lock says: {}", list(.0))]
    Differs(Vec<Difference>),
}

fn list(differences: &[Difference]) -> String {
    const MOST: usize = 5;
    let named: Vec<String> = differences.iter().take(MOST).map(ToString::to_string).collect();
    match differences.len().saturating_sub(MOST) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

/// How packages are installed.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    pub python: &'a dyn Python,
    pub environment: &'a Environment,
    pub torch: &'a TorchBackend,
    /// The Python of a virtual environment that has to be made: a version such as `3.11`, or an interpreter's path.
    pub wanted: Option<&'a str>,
    pub observer: &'a dyn Observer,
}

impl Trial<'_> {
    /// Puts the transaction's files into place ([`Transaction::try_out`]), makes the environment's own virtual environment hold what the lock
    /// says that lies in `.cec` then, and verifies that it does. The virtual environment is made if there is none.
    ///
    /// To be called when all else is staged. Afterwards [`Transaction::carry_out`] keeps it; dropping the transaction takes all back,
    /// and so does the next command if this one is killed.
    ///
    /// # Errors
    /// Drop the transaction: then everything is as before.
    pub fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), TrialError> {
        let Trial { python, environment, torch, wanted, observer } = *self;
        let venv = environment.venv();
        let folder = venv.folder();
        let is_there = venv.is_present();
        if super::super::journal::exists(folder) {
            transaction.set_aside(folder, folder)?;
        }
        let pause = || if observer.interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        let made = transaction.put_made(folder, |place| match is_there {
            true => twin::make(folder, place, &pause),
            // Made where it is to be, since programs in it name their place: so far it is an empty folder.
            false => std::fs::create_dir(place),
        });
        made.map_err(|error| match error {
            TransactionError::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted => {
                TrialError::Python(PythonError::Interrupted)
            }
            error => error.into(),
        })?;
        transaction.try_out()?;
        if !is_there {
            python.make_venv(&venv, wanted, observer)?;
        }
        let cec = environment.cec();
        install(python, &Install { project: &cec, venv: &venv, torch }, observer)
    }
}

/// Installs what the lock says, verifies it, and leaves a stamp that tells `status` so. For a virtual environment that goes with its
/// environment if that does not come about; else a [`Trial`] is what is wanted.
pub fn install(python: &dyn Python, what: &Install<'_>, observer: &dyn Observer) -> Result<(), TrialError> {
    let Install { project, venv, torch } = *what;
    python.install(what, observer)?;
    let path = project.join(UV_LOCK);
    let lock = std::fs::read_to_string(&path).map_err(io_error(&path))?;
    let differences = installed::differences(venv, &lock, torch)?;
    if !differences.is_empty() {
        return Err(TrialError::Differs(differences));
    }
    Stamp::of(venv, &lock, torch)?.write(venv)?;
    Ok(())
}
