//! `comfrey man`: manual pages.

use std::path::{Path, PathBuf};

use crate::ui::failure::closest;
use crate::ui::report::count;
use crate::ui::{Exit, Failure, Session};

const EXAMPLES: &str = "\
Examples:
  comfrey man | man -l -                       read the page of comfrey
  comfrey man rollback | man -l -              read the page of one command
  comfrey man --to ~/.local/share/man/man1     write all pages, for `man comfrey-rollback`";

/// Print a manual page, or write all of them to a folder
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Man {
    /// The command whose page to print [default: comfrey itself]
    #[arg(value_name = "COMMAND")]
    name: Option<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    to: Option<PathBuf>,
}

impl Man {
    /// `whole` is the command line that the pages are about.
    pub fn run(self, mut whole: clap::Command, session: &mut Session<'_>) -> Result<Exit, Failure> {
        whole.build();
        match (&self.to, &self.name) {
            (Some(folder), _) => write_all(whole, folder, session),
            (None, None) => print(whole.disable_help_subcommand(true), session),
            (None, Some(name)) => match whole.find_subcommand(name) {
                Some(one) => print(page_of(one), session),
                None => {
                    let meant = closest(name, whole.get_subcommands().map(clap::Command::get_name));
                    let failure = Failure::new(Exit::Usage, format!("`{name}` is not a command"));
                    Err(match meant {
                        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                        None => failure.hint("`comfrey --help` lists the commands"),
                    })
                }
            },
        }
    }
}

/// A command under the name of its page and of its program.
fn page_of(command: &clap::Command) -> clap::Command {
    let name = command.get_name();
    let (page, program) = (format!("comfrey-{name}"), format!("comfrey {name}"));
    command.clone().display_name(page).bin_name(program).version(env!("CARGO_PKG_VERSION"))
}

fn print(command: clap::Command, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    session.out.write_all(&page)?;
    Ok(Exit::Done)
}

fn write_all(whole: clap::Command, folder: &Path, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let io = |error| Failure::io(folder.display(), &error);
    std::fs::create_dir_all(folder).map_err(io)?;
    let commands = whole.get_subcommands().filter(|command| command.get_name() != "help").map(page_of);
    let mut pages = 0;
    for command in commands.chain([whole.clone()]) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let path = folder.join(format!("{name}.1"));
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(io)?;
        std::fs::write(&path, page).map_err(|e| Failure::io(path.display(), &e))?;
        pages += 1;
    }
    session.note(format_args!("{} in {}", count(pages, "page"), folder.display()))?;
    Ok(Exit::Done)
}
