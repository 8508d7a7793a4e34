use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::hash_object::HashObject>(
        "comfrey-hash-object",
        "Prints the ids of files, and stores them",
    )
}
