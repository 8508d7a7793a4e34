use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::rewrite_workflow::RewriteWorkflow>(
        "comfrey-rewrite-workflow",
        "Prints a workflow with a few values changed",
    )
}
