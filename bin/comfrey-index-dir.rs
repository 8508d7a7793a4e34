use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::index_dir::IndexDir>(
        "comfrey-index-dir",
        "Brings the model index up to date, and prints a record a file",
    )
}
