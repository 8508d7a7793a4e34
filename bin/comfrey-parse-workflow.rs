use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::parse_workflow::ParseWorkflow>(
        "comfrey-parse-workflow",
        "Prints the models and nodes that workflows refer to",
    )
}
