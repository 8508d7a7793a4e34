use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::ls_tree::LsTree>(
        "comfrey-ls-tree",
        "Lists the entries of a tree",
    )
}
