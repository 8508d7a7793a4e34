//! What this machine can compute with, as far as the system says without a library of its maker.

use std::fmt;

/// What torch could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accelerator {
    /// An NVIDIA card with its driver; the first number of its version, where it is known.
    Cuda {
        driver: Option<u32>,
    },
    /// An AMD card with its driver.
    Rocm,
    /// Apple's own.
    Mps,
    None,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accelerator::Cuda { driver: Some(driver) } => write!(f, "an NVIDIA driver {driver}"),
            Accelerator::Cuda { driver: None } => f.write_str("an NVIDIA driver"),
            Accelerator::Rocm => f.write_str("an AMD driver"),
            Accelerator::Mps => f.write_str("Apple's graphics"),
            Accelerator::None => f.write_str("no driver of a graphics card that torch uses"),
        }
    }
}

/// What is here.
pub fn here() -> Accelerator {
    #[cfg(target_os = "linux")]
    {
        if let Ok(text) = std::fs::read_to_string("/proc/driver/nvidia/version") {
            return Accelerator::Cuda { driver: driver(&text) };
        }
        // In WSL the driver is the one of Windows, and in a container its device may be all that is there.
        if ["/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"].iter().any(|path| std::path::Path::new(path).exists()) {
            return Accelerator::Cuda { driver: None };
        }
        if std::path::Path::new("/dev/kfd").exists() {
            return Accelerator::Rocm;
        }
    }
    #[cfg(windows)]
    {
        let system = std::env::var_os("SystemRoot").map(std::path::PathBuf::from).unwrap_or_default().join("System32");
        if system.join("nvcuda.dll").exists() {
            return Accelerator::Cuda { driver: None };
        }
        if system.join("amdhip64.dll").exists() || system.join("amdhip64_6.dll").exists() {
            return Accelerator::Rocm;
        }
    }
    if cfg!(all(target_os = "macos", target_arch = "aarch64")) { Accelerator::Mps } else { Accelerator::None }
}

/// The number in `… Kernel Module  550.54.14  …`.
#[cfg(any(target_os = "linux", test))]
fn driver(text: &str) -> Option<u32> {
    let line = text.lines().next()?;
    line.split_whitespace().find_map(|word| {
        let (first, rest) = word.split_once('.')?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| first.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_driver_says_its_version() {
        let text =
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version: 12.2.0\n";
        assert_eq!(super::driver(text), Some(570));
        assert_eq!(super::driver("NVRM version: unknown"), None);
    }
}
