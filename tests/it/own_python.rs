//! An installation whose Python Comfrey makes: with the real uv, on wheels made in the test, without a network.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::installation::Installation;
use crate::support::Run;
use crate::wheels::Wheels;

/// The adopted ComfyUI `demo`, wheels of all that may be required there, and a uv that finds nothing else. `comfrey sync --own-python` gives it its Python.
pub struct OwnPython {
    pub demo: Installation,
    pub wheels: Wheels,
}

impl OwnPython {
    /// ComfyUI has these requirements. Nothing where there is no uv.
    pub fn wanting(requirements: &str) -> Option<Self> {
        let demo = Installation::new();
        let wheels = Wheels::new(demo.sandbox.path())?;
        for (name, version, requires) in [
            ("torch", "2.9.0", &[] as &[&str]),
            ("foo", "1.0", &[]),
            ("foo", "2.0", &[]),
            ("bar", "1.0", &["foo<2"]),
            ("baz", "1.0", &["foo>=2"]),
            ("rich", "1.0", &["colour"]),
            ("colour", "0.5", &[]),
        ] {
            wheels.add(name, version, requires);
        }
        demo.write("requirements.txt", requirements);
        Some(OwnPython { demo, wheels })
    }

    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.demo.command(arguments);
        self.wheels.apply(&mut command);
        command
    }

    pub fn comfrey<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command(arguments))
    }

    pub fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Value {
        let mut command = self.command(arguments);
        command.arg("--json");
        serde_json::from_str(Run::of(command).success().line()).unwrap()
    }

    pub fn folder(&self) -> PathBuf {
        self.demo.sandbox.join("work/environments/demo")
    }

    /// What is installed, `foo 1.0`, without what virtual environments begin with.
    pub fn installed(&self) -> Vec<String> {
        let run = self.comfrey(["py", "list", "--json"]).success();
        let lines = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let packages =
            lines.filter_map(|line| Some(format!("{} {}", line["package"].as_str()?, line["installed"].as_str()?)));
        packages
            .filter(|package| !["pip", "setuptools", "wheel"].iter().any(|seed| package.starts_with(seed)))
            .collect()
    }

    /// Every file of the environment's folder but logs, locks, and what uv works with.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        crate::installation::collect(&self.folder(), "demo", &mut found);
        let is_passing =
            |name: &str| ["demo/logs", "demo/lock", "demo/.comfrey-uv-"].iter().any(|start| name.starts_with(start));
        found.retain(|name, _| !is_passing(name) && !name.contains("__pycache__"));
        found
    }

    /// A program in uv's place: `script` of the system's shell, in which `"$UV" "$@"` is the real one.
    #[cfg(unix)]
    pub fn stand_in(&self, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let uv = self.wheels.uv().display();
        let path = self.demo.sandbox.write("stand-in/uv", format!("#!/bin/sh\nUV='{uv}'\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A command with this program in uv's place.
    #[cfg(unix)]
    pub fn with_uv<'a>(&self, uv: &std::path::Path, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(arguments);
        command.env("COMFREY_UV", uv);
        command
    }
}
