use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::diff_tree::DiffTree>(
        "comfrey-diff-tree",
        "Prints the paths that differ between two trees",
    )
}
