use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::cat_object::CatObject>("comfrey-cat-object", "Looks at objects")
}
