//! Whether torch is built for what this machine has. It is not imported: its name says how it was built.

use crate::platform::accelerator::Accelerator;

use super::super::environment::Environment;
use super::super::python::installed::Installed;
use super::finding::{Check, Finding, Severity};

/// What a build of torch is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BuiltFor {
    /// The version, such as 128 for 12.8.
    Cuda(u32),
    Rocm,
    Other,
    Cpu,
    /// It does not say, as Apple's.
    Unsaid,
}

/// The oldest NVIDIA driver that runs programs of a CUDA version: within 12 and 13 all of one major version run. Source: NVIDIA's CUDA
/// compatibility tables.
const DRIVERS: [(u32, u32); 3] = [(13, 580), (12, 525), (11, 450)];

/// Compares the installed torch with the machine.
pub fn look(environment: &Environment, installed: &Installed, machine: &Accelerator) -> Vec<Finding> {
    let name = environment.name();
    let sync = format!("comfrey sync -E {name}");
    let Some(version) = installed.get("torch") else {
        // Only a ComfyUI that asks for it needs it.
        let wants = std::fs::read_to_string(environment.comfyui().join("requirements.txt")).unwrap_or_default();
        let wanted = wants.lines().any(|line| line.trim() == "torch" || line.trim().starts_with("torch="));
        let finding = || {
            Finding::new(Check::Torch, Severity::Error, "torch is not installed, and ComfyUI needs it").command(&sync)
        };
        return if wanted { vec![finding()] } else { Vec::new() };
    };
    let mut found = Vec::new();
    let local = |version: &str| version.split_once('+').map(|(_, local)| local.to_owned());
    for other in ["torchvision", "torchaudio"] {
        if let Some(theirs) = installed.get(other)
            && let (Some(a), Some(b)) = (local(version), local(theirs))
            && a != b
        {
            found.push(
                Finding::new(
                    Check::Torch,
                    Severity::Error,
                    format!("torch and {other} are built for different things"),
                )
                .evidence(format!("torch {version}, {other} {theirs}"))
                .command(&sync),
            );
        }
    }
    let other_build =
        "set `torch_backend = \"auto\"` in the environment's environment.toml for the build that fits, then sync";
    let evidence = format!("torch {version}; this machine has {machine}");
    let add = |severity, message: String| {
        Finding::new(Check::Torch, severity, message).evidence(&evidence).advice(other_build).command(&sync)
    };
    let forced_cpu = environment.facts().arguments.iter().any(|word| word == "--cpu");
    match (built_for(version, installed), machine) {
        (BuiltFor::Cpu, Accelerator::Cuda { .. } | Accelerator::Rocm) if !forced_cpu => {
            found.push(add(
                Severity::Warning,
                "torch is built for the processor alone; the graphics card is not used".into(),
            ));
        }
        (BuiltFor::Cuda(cuda), Accelerator::Cuda { driver: Some(driver) }) => {
            let needed = DRIVERS.iter().find(|(major, _)| *major == cuda / 10).map(|(_, driver)| *driver);
            if needed.is_some_and(|needed| *driver < needed) {
                let (major, minor) = (cuda / 10, cuda % 10);
                let needed = needed.unwrap_or_default();
                let message =
                    format!("the NVIDIA driver is too old for CUDA {major}.{minor}, for which torch is built");
                let finding = Finding::new(Check::Torch, Severity::Error, message).evidence(&evidence);
                found.push(finding.advice(format!("install driver {needed} or newer, or a torch for an older CUDA")));
            }
        }
        (BuiltFor::Cuda(_), Accelerator::Cuda { driver: None }) => {}
        (BuiltFor::Cuda(_), Accelerator::None) if !forced_cpu => found.push(
            Finding::new(Check::Torch, Severity::Warning, "torch is built for CUDA, and no NVIDIA driver is here")
                .evidence(&evidence)
                .advice("ComfyUI starts here with --cpu only")
                .command(format!("comfrey run -E {name} -- --cpu")),
        ),
        (BuiltFor::Cuda(_), Accelerator::Rocm) => {
            found.push(add(Severity::Error, "torch is built for CUDA, and the graphics card is AMD's".into()));
        }
        (BuiltFor::Rocm, Accelerator::Cuda { .. }) => {
            found.push(add(Severity::Error, "torch is built for ROCm, and the graphics card is NVIDIA's".into()));
        }
        (BuiltFor::Rocm, Accelerator::None) if !forced_cpu => {
            found.push(add(Severity::Warning, "torch is built for ROCm, and no AMD driver is here".into()));
        }
        _ => {}
    }
    found
}

/// By the local part of its version; on Linux the usual build says nothing there, and brings CUDA's libraries as packages.
fn built_for(version: &str, installed: &Installed) -> BuiltFor {
    let local = version.split_once('+').map(|(_, local)| local);
    if let Some(number) = local.and_then(|local| local.strip_prefix("cu")).and_then(|digits| digits.parse().ok()) {
        return BuiltFor::Cuda(number);
    }
    match local {
        Some("cpu") => BuiltFor::Cpu,
        Some(local) if local.starts_with("rocm") => BuiltFor::Rocm,
        Some(_) => BuiltFor::Other,
        None => {
            let runtime = installed.iter().find(|(name, _)| name.starts_with("nvidia-cuda-runtime"));
            let numbers = runtime.and_then(|(_, version)| {
                let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
                Some((parts.next()??, parts.next()??))
            });
            numbers.map_or(BuiltFor::Unsaid, |(major, minor)| BuiltFor::Cuda(major * 10 + minor.min(9)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvironmentName;

    fn said(packages: &[(&str, &str)], machine: &Accelerator) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("environment.toml"), "comfyui = \"ComfyUI\"\n").unwrap();
        std::fs::create_dir(dir.path().join("ComfyUI")).unwrap();
        std::fs::write(dir.path().join("ComfyUI/requirements.txt"), "numpy\ntorch\n").unwrap();
        let environment = Environment::load(EnvironmentName::new("demo").unwrap(), dir.path().to_owned()).unwrap();
        let installed = packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
        let found = look(&environment, &installed, machine);
        found.iter().map(|finding| format!("{}: {}", finding.severity.word(), finding.message)).collect()
    }

    #[test]
    fn a_torch_that_fits_the_machine_is_no_finding() {
        let nvidia = Accelerator::Cuda { driver: Some(580) };
        for (packages, machine) in [
            (&[("torch", "2.9.1+cu128"), ("torchvision", "0.24.1+cu128")][..], &nvidia),
            (&[("torch", "2.9.1"), ("nvidia-cuda-runtime-cu12", "12.8.90")], &nvidia),
            (&[("torch", "2.9.1+cpu")], &Accelerator::None),
            (&[("torch", "2.9.1")], &Accelerator::Mps),
            (&[("torch", "2.9.1+rocm6.4")], &Accelerator::Rocm),
        ] {
            assert_eq!(said(packages, machine), Vec::<String>::new(), "{packages:?}");
        }
    }

    #[test]
    fn a_torch_for_another_machine_is_told() {
        let nvidia = |driver| Accelerator::Cuda { driver: Some(driver) };
        for (packages, machine, expected) in [
            (&[][..], &Accelerator::None, "error: torch is not installed"),
            (&[("torch", "2.9.1+cpu")], &nvidia(580), "warning: torch is built for the processor alone"),
            (&[("torch", "2.9.1+cu130")], &nvidia(570), "error: the NVIDIA driver is too old for CUDA 13.0"),
            (
                &[("torch", "2.9.1"), ("nvidia-cuda-runtime-cu12", "12.8.90")],
                &Accelerator::None,
                "warning: torch is built for CUDA, and no NVIDIA driver is here",
            ),
            (
                &[("torch", "2.9.1+cu128")],
                &Accelerator::Rocm,
                "error: torch is built for CUDA, and the graphics card is AMD's",
            ),
            (
                &[("torch", "2.9.1+cu128"), ("torchaudio", "2.9.1+cpu")],
                &nvidia(580),
                "error: torch and torchaudio are built for different things",
            ),
        ] {
            let found = said(packages, machine);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{packages:?}: {found:?}");
        }
    }
}
