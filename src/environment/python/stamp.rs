//! What was installed last, left in the virtual environment: so that one look tells whether it still holds what the lock says.

use std::io;

use serde::{Deserialize, Serialize};

use crate::object::ObjectId;

use super::installed::{self, Installed};
use super::seam::io_error;
use super::{PythonError, TorchBackend, Venv};

const FILE: &str = "comfrey-installed.json";

/// The lock, the torch backend and the packages as they were when everything was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    lock: ObjectId,
    torch: String,
    packages: Installed,
}

impl Stamp {
    /// What is there now, beside the lock that it should follow.
    pub fn of(venv: &Venv, lock: &str, torch: &TorchBackend) -> Result<Self, PythonError> {
        let packages = installed::of(venv)?;
        Ok(Stamp { lock: ObjectId::of_blob(lock.as_bytes()), torch: torch.to_string(), packages })
    }

    /// Leaves it in the virtual environment.
    pub fn write(&self, venv: &Venv) -> Result<(), PythonError> {
        let path = venv.folder().join(FILE);
        let bytes = serde_json::to_vec(self).map_err(io::Error::other).map_err(io_error(&path))?;
        // Never into a file: in the twin it may be the same one.
        let fresh = venv.folder().join(format!("{FILE}.new"));
        std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, &path)).map_err(io_error(&path))
    }

    /// True when this is what was left there.
    pub fn is_in(&self, venv: &Venv) -> bool {
        let bytes = std::fs::read(venv.folder().join(FILE)).ok();
        bytes.and_then(|bytes| serde_json::from_slice::<Stamp>(&bytes).ok()).is_some_and(|there| there == *self)
    }
}
