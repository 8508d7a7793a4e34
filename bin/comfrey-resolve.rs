use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::resolve::Resolve>(
        "comfrey-resolve",
        "Finds the files and packages that references mean",
    )
}
