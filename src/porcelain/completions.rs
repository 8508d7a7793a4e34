//! `comfrey completions`: what a shell needs to complete a command line.

use clap_complete::Shell;

use crate::ui::{Exit, Failure, Session};

const PLACES: &str = "\
Where shells look for it:
  bash        comfrey completions bash > ~/.local/share/bash-completion/completions/comfrey
  zsh         comfrey completions zsh > ~/.zfunc/_comfrey    (with ~/.zfunc in fpath)
  fish        comfrey completions fish > ~/.config/fish/completions/comfrey.fish
  powershell  comfrey completions powershell >> $PROFILE";

/// Print the completion script of a shell
#[derive(clap::Args)]
#[command(after_long_help = PLACES)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// `whole` is the command line that is to be completed.
    pub fn run(self, mut whole: clap::Command, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut whole, "comfrey", &mut script);
        session.out.write_all(&script)?;
        Ok(Exit::Done)
    }
}
