//! `comfrey NAME`: porcelain, plumbing, or a program `comfrey-NAME` on PATH.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::plumbing::cat_object::CatObject;
use crate::plumbing::checkout_tree::CheckoutTree;
use crate::plumbing::commit_tree::CommitTree;
use crate::plumbing::diff_tree::DiffTree;
use crate::plumbing::fetch_blob::FetchBlob;
use crate::plumbing::fsck::Fsck;
use crate::plumbing::gc::Gc;
use crate::plumbing::hash_object::HashObject;
use crate::plumbing::index_dir::IndexDir;
use crate::plumbing::ls_tree::LsTree;
use crate::plumbing::make_tree::MakeTree;
use crate::plumbing::pack::Pack;
use crate::plumbing::parse_workflow::ParseWorkflow;
use crate::plumbing::resolve::Resolve;
use crate::plumbing::rev_list::RevList;
use crate::plumbing::rev_parse::RevParse;
use crate::plumbing::rewrite_workflow::RewriteWorkflow;
use crate::plumbing::show_ref::ShowRef;
use crate::plumbing::unpack::Unpack;
use crate::plumbing::update_ref::UpdateRef;
use crate::plumbing::write_tree::WriteTree;
use crate::porcelain::branch::Branch;
use crate::porcelain::catalog::Catalog;
use crate::porcelain::commit::Commit;
use crate::porcelain::constraint::Constraint;
use crate::porcelain::diff::Diff;
use crate::porcelain::doctor::Doctor;
use crate::porcelain::export::Export;
use crate::porcelain::import::Import;
use crate::porcelain::log::Log;
use crate::porcelain::merge::{Merge, Revert};
use crate::porcelain::models::Models;
use crate::porcelain::node::Node;
use crate::porcelain::operations::Operations;
use crate::porcelain::ps::Ps;
use crate::porcelain::py::Py;
use crate::porcelain::rollback::Rollback;
use crate::porcelain::run::Run;
use crate::porcelain::show::Show;
use crate::porcelain::status::Status;
use crate::porcelain::stop::Stop;
use crate::porcelain::switch::Switch;
use crate::porcelain::sync::Sync;
use crate::porcelain::tag::Tag;
use crate::porcelain::undo::{Redo, Undo};
use crate::porcelain::workflow::Workflow;
use crate::ui::failure::closest;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Globals, Session, program};

use super::adopt::Adopt;
use super::clone::Clone;
use super::completions::Completions;
use super::config::Config;
use super::create::Create;
use super::delete::Delete;
use super::demo::Demo;
use super::init::Init;
use super::list::List;
use super::man::Man;
use super::r#use::Use;

const FIRST_STEPS: &str = "\
First steps:
  comfrey demo                      see all of it on made-up data
  comfrey init                      make a workspace, and adopt the ComfyUI that you have
  comfrey commit -m \"as it was\"    take a snapshot; then status, diff, log, rollback, undo";

/// Keeps a ComfyUI installation reproducible: workflows, custom nodes and models.
#[derive(Parser)]
#[command(name = "comfrey", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Comfrey {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    globals: Globals,
}

// One line a command; each body is in the file of its name. Where no line stands here, the arguments' own words are shown.
#[derive(clap::Subcommand)]
enum Verb {
    Adopt(Adopt),
    /// Lines of versions: list, begin, rename, delete
    Branch(Branch),
    /// Look at objects
    CatObject(CatObject),
    /// What is known of node classes, packages and models
    Catalog(Catalog),
    /// Write a tree into a folder
    CheckoutTree(CheckoutTree),
    Clone(Clone),
    /// Record workflows, custom nodes and models in use as a new version
    Commit(Commit),
    /// Make a snapshot of a tree
    CommitTree(CommitTree),
    Completions(Completions),
    Config(Config),
    Create(Create),
    Delete(Delete),
    /// Bounds on versions of Python packages, whoever wants them
    Constraint(Constraint),
    Demo(Demo),
    /// Show what differs, by path
    Diff(Diff),
    /// Print the paths that differ between two trees
    DiffTree(DiffTree),
    /// Look for what is wrong, and for the command that mends it
    Doctor(Doctor),
    /// Write a version to a file that others can import
    Export(Export),
    /// Download files, verify and store them
    FetchBlob(FetchBlob),
    /// Check the store, and repair it
    Fsck(Fsck),
    /// Delete what nothing needs
    Gc(Gc),
    /// Hash files, and store them
    HashObject(HashObject),
    /// Make an environment of an exported file
    Import(Import),
    /// Bring the model index up to date
    IndexDir(IndexDir),
    Init(Init),
    List(List),
    /// Show the history, newest first
    Log(Log),
    /// List the entries of a tree
    LsTree(LsTree),
    /// Make a tree of entries on standard input
    MakeTree(MakeTree),
    Man(Man),
    /// Bring what another branch has into the current one
    Merge(Merge),
    /// The model files of the workspace
    Models(Models),
    /// The custom nodes of the environment
    Node(Node),
    /// List what was done, command by command
    Operations(Operations),
    /// Write objects as one stream; ids on standard input
    Pack(Pack),
    /// Print the models and nodes that workflows refer to
    ParseWorkflow(ParseWorkflow),
    /// Show which environments run
    Ps(Ps),
    /// Python packages beside those of ComfyUI and its nodes
    Py(Py),
    /// Bring back what undo took back
    Redo(Redo),
    /// Find what references on standard input mean
    Resolve(Resolve),
    /// Take back what one version changed, as a new version
    Revert(Revert),
    /// List snapshots, children before parents, and what they need
    RevList(RevList),
    /// Print the ids that revisions name
    RevParse(RevParse),
    /// Print a workflow with a few values changed
    RewriteWorkflow(RewriteWorkflow),
    /// Make workflows and custom nodes what they were in a version
    Rollback(Rollback),
    /// Start the environment's ComfyUI
    Run(Run),
    /// Show a snapshot, or a file or folder of one
    Show(Show),
    /// List refs and the snapshots they name
    ShowRef(ShowRef),
    /// Show what changed since the last version
    Status(Status),
    /// Stop the environment's ComfyUI
    Stop(Stop),
    /// Go to another branch
    Switch(Switch),
    /// Make the Python packages those of the manifest and uv.lock
    Sync(Sync),
    /// List, set and delete tags
    Tag(Tag),
    /// Take back the last command that changed something
    Undo(Undo),
    /// Verify and store a pack from standard input
    Unpack(Unpack),
    /// Change refs, if they are what was expected
    UpdateRef(UpdateRef),
    Use(Use),
    /// Compare and resolve workflows
    Workflow(Workflow),
    /// Store a folder as a tree
    WriteTree(WriteTree),
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

impl Verb {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self {
            Verb::Adopt(command) => command.run(session),
            Verb::Branch(command) => command.run(session),
            Verb::CatObject(command) => command.run(session),
            Verb::Catalog(command) => command.run(session),
            Verb::CheckoutTree(command) => command.run(session),
            Verb::Clone(command) => command.run(session),
            Verb::Commit(command) => command.run(session),
            Verb::CommitTree(command) => command.run(session),
            Verb::Completions(command) => command.run(Comfrey::command(), session),
            Verb::Config(command) => command.run(session),
            Verb::Create(command) => command.run(session),
            Verb::Delete(command) => command.run(session),
            Verb::Constraint(command) => command.run(session),
            Verb::Demo(command) => command.run(session),
            Verb::Diff(command) => command.run(session),
            Verb::DiffTree(command) => command.run(session),
            Verb::Doctor(command) => command.run(session),
            Verb::Export(command) => command.run(session),
            Verb::FetchBlob(command) => command.run(session),
            Verb::Fsck(command) => command.run(session),
            Verb::Gc(command) => command.run(session),
            Verb::HashObject(command) => command.run(session),
            Verb::IndexDir(command) => command.run(session),
            Verb::Init(command) => command.run(session),
            Verb::List(command) => command.run(session),
            Verb::Log(command) => command.run(session),
            Verb::LsTree(command) => command.run(session),
            Verb::MakeTree(command) => command.run(session),
            Verb::Man(command) => command.run(Comfrey::command(), session),
            Verb::Models(command) => command.run(session),
            Verb::Node(command) => command.run(session),
            Verb::Operations(command) => command.run(session),
            Verb::Pack(command) => command.run(session),
            Verb::ParseWorkflow(command) => command.run(session),
            Verb::Ps(command) => command.run(session),
            Verb::Py(command) => command.run(session),
            Verb::Redo(command) => command.run(session),
            Verb::Resolve(command) => command.run(session),
            Verb::RevList(command) => command.run(session),
            Verb::RevParse(command) => command.run(session),
            Verb::RewriteWorkflow(command) => command.run(session),
            Verb::Merge(command) => command.run(session),
            Verb::Revert(command) => command.run(session),
            Verb::Rollback(command) => command.run(session),
            Verb::Run(command) => command.run(session),
            Verb::Show(command) => command.run(session),
            Verb::ShowRef(command) => command.run(session),
            Verb::Status(command) => command.run(session),
            Verb::Stop(command) => command.run(session),
            Verb::Switch(command) => command.run(session),
            Verb::Sync(command) => command.run(session),
            Verb::Tag(command) => command.run(session),
            Verb::Undo(command) => command.run(session),
            Verb::Unpack(command) => command.run(session),
            Verb::UpdateRef(command) => command.run(session),
            Verb::Use(command) => command.run(session),
            Verb::Workflow(command) => command.run(session),
            Verb::WriteTree(command) => command.run(session),
            Verb::Import(command) => command.run(session),
            Verb::External(words) => external(words, session),
        }
    }
}

/// The `main` of `comfrey`.
pub fn main() -> ExitCode {
    let parsed = super::help::grouped(Comfrey::command()).try_get_matches();
    match parsed.and_then(|matches| Comfrey::from_arg_matches(&matches)) {
        Ok(Comfrey { verb, globals }) => program::run(globals, |session| verb.run(session)),
        Err(error) => program::usage(&error),
    }
}

/// All commands and options.
#[cfg(test)]
pub(super) fn command() -> clap::Command {
    Comfrey::command()
}

/// Hands over to `comfrey-NAME` on PATH, and takes its exit code.
fn external(words: Vec<OsString>, session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default();
    let program = format!("comfrey-{}", name.to_string_lossy());
    session.out.flush()?;
    match std::process::Command::new(&program).args(words).status() {
        // The program has said why itself.
        Ok(status) => std::process::exit(status.code().unwrap_or(Exit::Outside as i32)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(unknown(&name.to_string_lossy())),
        Err(error) => Err(Failure::new(Exit::Outside, format!("{program}: {error}"))),
    }
}

fn unknown(name: &str) -> Failure {
    let cli = Comfrey::command();
    let meant = closest(name, cli.get_subcommands().map(|c| c.get_name()));
    let failure =
        Failure::new(Exit::Usage, format!("`{name}` is not a command, and there is no comfrey-{name} on the PATH"));
    match meant {
        Some(meant) => failure.hint(format!("did you mean `comfrey {meant}`?")),
        None => failure.hint("`comfrey --help` lists the commands"),
    }
}
