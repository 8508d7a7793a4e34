use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::pack::Pack>(
        "comfrey-pack",
        "Writes a deterministic, verified stream of the objects whose ids are on standard input",
    )
}
