//! What a check says.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something may not work, or not as wished.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Who looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    Comfyui,
    Uv,
    Git,
    Python,
    Packages,
    Torch,
    Disk,
    Port,
    Links,
    LastStart,
    Nodes,
    Models,
    Operations,
    Store,
}

impl Check {
    pub const ALL: [Check; 14] = [
        Check::Comfyui,
        Check::Uv,
        Check::Git,
        Check::Python,
        Check::Packages,
        Check::Torch,
        Check::Disk,
        Check::Port,
        Check::Links,
        Check::LastStart,
        Check::Nodes,
        Check::Models,
        Check::Operations,
        Check::Store,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Check::Comfyui => "comfyui",
            Check::Uv => "uv",
            Check::Git => "git",
            Check::Python => "python",
            Check::Packages => "packages",
            Check::Torch => "torch",
            Check::Disk => "disk",
            Check::Port => "port",
            Check::Links => "links",
            Check::LastStart => "last-start",
            Check::Nodes => "nodes",
            Check::Models => "models",
            Check::Operations => "operations",
            Check::Store => "store",
        }
    }
}

/// What was mended, or can be without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// The record of a run that was killed is taken away.
    SweepRecord,
    /// The environment is given another port.
    GivePort,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    pub severity: Severity,
    /// What is wrong, in a sentence without its full stop.
    pub message: String,
    /// How that is known: lines of a log, paths.
    pub evidence: Vec<String>,
    /// What to do, where no command of ours does it.
    pub advice: Option<String>,
    /// The command that mends it, or shows the way.
    pub command: Option<String>,
    /// What `--fix` does about it.
    pub mend: Option<Mend>,
}

impl Finding {
    pub fn new(check: Check, severity: Severity, message: impl Into<String>) -> Self {
        let message = message.into();
        Finding { check, severity, message, evidence: Vec::new(), advice: None, command: None, mend: None }
    }

    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub fn mend(mut self, mend: Mend) -> Self {
        self.mend = Some(mend);
        self
    }
}
