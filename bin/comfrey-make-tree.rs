use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::make_tree::MakeTree>(
        "comfrey-make-tree",
        "Stores a tree of the entries on standard input and prints its id",
    )
}
