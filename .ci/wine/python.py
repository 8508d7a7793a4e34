"""What the bridge `python.exe` runs: the Python of the machine, which to uv says of itself that it is one for Windows.

BRIDGE is the Windows path of the bridge. In the `Scripts` of a virtual environment it is that environment's Python.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import PureWindowsPath


def on_the_machine(path: PureWindowsPath) -> str:
    drive = path.drive.lower()
    below = path.as_posix()[len(drive) :]
    return below if drive == "z:" else f"{os.environ['WINEPREFIX']}/dosdevices/{drive}{below}"


def environment(program: PureWindowsPath) -> tuple[PureWindowsPath, PureWindowsPath]:
    """The folder of the environment that `program` belongs to, and that of the Python it was made from."""
    above = program.parent.parent
    try:
        with open(on_the_machine(above / "pyvenv.cfg"), encoding="utf-8") as settings:
            lines = (line.partition("=") for line in settings)
            homes = [value.strip() for key, _, value in lines if key.strip() == "home"]
    except FileNotFoundError:
        return program.parent, program.parent
    return above, PureWindowsPath(homes[0] if homes else program.parent)


def describe(code: str, program: PureWindowsPath) -> None:
    """Runs uv's own questions and puts into its answer what is otherwise on Windows."""
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        exec(code, {"__name__": "__main__"})
    info = json.loads(answer.getvalue())
    prefix, base = environment(program)
    packages = prefix / "Lib" / "site-packages"
    info["markers"].update(
        os_name="nt",
        platform_machine="AMD64",
        platform_release="10",
        platform_system="Windows",
        platform_version="10.0.19045",
        sys_platform="win32",
    )
    info.update(
        sys_base_prefix=str(base),
        sys_base_exec_prefix=str(base),
        sys_prefix=str(prefix),
        sys_base_executable=str(base / "python.exe"),
        sys_executable=str(program),
        sys_path=[str(base / "Lib"), str(packages)],
        site_packages=[str(prefix), str(packages)],
        stdlib=str(base / "Lib"),
        extension_suffixes=[".pyd"],
        standalone=False,
        scheme=dict(
            purelib=str(packages),
            platlib=str(packages),
            include=str(base / "Include"),
            scripts=str(prefix / "Scripts"),
            data=str(prefix),
        ),
        virtualenv=dict(
            purelib="Lib\\site-packages", platlib="Lib\\site-packages", include="Include", scripts="Scripts", data=""
        ),
        os=dict(name="windows"),
        arch="x86_64",
        manylinux_compatible=False,
    )
    print(json.dumps(info))


def main() -> None:
    program = PureWindowsPath(os.environ["BRIDGE"].removeprefix("\\\\?\\"))
    words = sys.argv[1:]
    if "-c" in words and "get_interpreter_info" in (code := words[words.index("-c") + 1]):
        describe(code, program)
        return
    prefix, base = environment(program)
    if prefix != base:
        paths = [on_the_machine(prefix / "Lib" / "site-packages"), os.environ.get("PYTHONPATH")]
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.execv(sys.executable, [sys.executable, *words])


main()
