use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::rev_parse::RevParse>(
        "comfrey-rev-parse",
        "Prints the ids that revisions name",
    )
}
