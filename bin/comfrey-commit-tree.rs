use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::commit_tree::CommitTree>(
        "comfrey-commit-tree",
        "Makes a snapshot of a tree",
    )
}
