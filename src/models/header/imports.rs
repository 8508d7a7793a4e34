//! Which imports of a pickle are expected in weights, and which are dangerous.
//!
//! Expected is what `torch.load(weights_only=True)` takes (`torch/_weights_only_unpickler.py`), and what numpy needs for its arrays.
//! Dangerous is what can run programs or code, touch files or the network, or reach such things by their names.

use super::facts::Verdict;

/// What weights need: module, then names.
const EXPECTED: &[(&str, &[&str])] = &[
    ("collections", &["Counter", "OrderedDict", "defaultdict"]),
    (
        "torch._utils",
        &[
            "_rebuild_meta_tensor_no_storage",
            "_rebuild_nested_tensor",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
            "_rebuild_qtensor",
            "_rebuild_sparse_tensor",
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
            "_rebuild_tensor_v3",
        ],
    ),
    ("torch._tensor", &["_rebuild_from_type_v2"]),
    ("torch.nn.parameter", &["Parameter", "Buffer"]),
    ("torch.serialization", &["_get_layout"]),
    ("torch.storage", &["TypedStorage", "UntypedStorage", "_TypedStorage", "_UntypedStorage"]),
    ("numpy", &["dtype", "ndarray"]),
    ("numpy.core.multiarray", &["_reconstruct", "scalar"]),
    ("numpy._core.multiarray", &["_reconstruct", "scalar"]),
    ("_codecs", &["encode"]),
    ("copyreg", &["_reconstructor"]),
    ("copy_reg", &["_reconstructor"]),
    ("builtins", PLAIN_TYPES),
    ("__builtin__", PLAIN_TYPES),
];

const PLAIN_TYPES: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
    "unicode",
    "xrange",
];

/// Names of `torch` itself.
const EXPECTED_OF_TORCH: &[&str] = &["Size", "Tensor", "device", "Generator"];

/// Modules of which everything is dangerous, what lies below them included.
const DANGEROUS: &[&str] = &[
    "_aix_support",
    "_ctypes",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_io",
    "_operator",
    "_osx_support",
    "_pickle",
    "_posixsubprocess",
    "_pyrepl",
    "_socket",
    "_thread",
    "aiohttp",
    "antigravity",
    "ast",
    "asyncio",
    "bdb",
    "bz2",
    "cPickle",
    "cProfile",
    "cffi",
    "cgi",
    "cloudpickle",
    "code",
    "codecs",
    "codeop",
    "commands",
    "concurrent",
    "crypt",
    "ctypes",
    "dbm",
    "dill",
    "distutils",
    "doctest",
    "ensurepip",
    "fileinput",
    "ftplib",
    "functools",
    "gc",
    "getpass",
    "glob",
    "gzip",
    "http",
    "httplib",
    "httpx",
    "idlelib",
    "imaplib",
    "imp",
    "importlib",
    "inspect",
    "io",
    "joblib",
    "jsonpickle",
    "lib2to3",
    "linecache",
    "logging",
    "lzma",
    "mailbox",
    "mailcap",
    "marshal",
    "mmap",
    "multiprocessing",
    "netrc",
    "nntplib",
    "nt",
    "ntpath",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.load",
    "numpy.testing",
    "operator",
    "os",
    "pathlib",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "platform",
    "popen2",
    "poplib",
    "posix",
    "posixpath",
    "profile",
    "pty",
    "pydoc",
    "requests",
    "rlcompleter",
    "runpy",
    "select",
    "selectors",
    "setuptools",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtpd",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tarfile",
    "telnetlib",
    "tempfile",
    "test",
    "this",
    "threading",
    "timeit",
    "torch._C",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed",
    "torch.fx",
    "torch.hub",
    "torch.jit",
    "torch.multiprocessing",
    "torch.package",
    "torch.utils",
    "trace",
    "types",
    "unittest",
    "urllib",
    "urllib2",
    "urllib3",
    "uuid",
    "venv",
    "webbrowser",
    "winreg",
    "wsgiref",
    "xmlrpc",
    "yaml",
    "zipfile",
    "zipimport",
];

/// Of modules that are not dangerous as a whole.
const DANGEROUS_NAMES: &[(&str, &[&str])] = &[
    ("builtins", DANGEROUS_BUILTINS),
    ("__builtin__", DANGEROUS_BUILTINS),
    ("torch", &["load", "save", "compile", "jit", "hub", "ops", "classes"]),
    ("torch.serialization", &["load", "save", "_load", "_legacy_load"]),
    ("torch.storage", &["_load_from_bytes"]),
    ("numpy", &["load", "fromfile", "memmap", "loadtxt", "genfromtxt", "save", "savez"]),
    ("pandas", &["read_pickle", "eval"]),
];

const DANGEROUS_BUILTINS: &[&str] = &[
    "__import__",
    "apply",
    "breakpoint",
    "classmethod",
    "compile",
    "delattr",
    "dir",
    "eval",
    "exec",
    "execfile",
    "exit",
    "file",
    "getattr",
    "globals",
    "help",
    "input",
    "locals",
    "map",
    "memoryview",
    "open",
    "property",
    "quit",
    "raw_input",
    "reduce",
    "setattr",
    "staticmethod",
    "super",
    "type",
    "vars",
];

/// What the import of `name` from `module` means.
pub fn judge(module: &str, name: &str) -> Verdict {
    let listed = |list: &[(&str, &[&str])]| list.iter().any(|(of, names)| *of == module && names.contains(&name));
    if listed(EXPECTED) || (module == "torch" && (EXPECTED_OF_TORCH.contains(&name) || is_plain_of_torch(name))) {
        return Verdict::Expected;
    }
    let within = |of: &str| module == of || module.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'));
    if DANGEROUS.iter().any(|module| within(module)) || listed(DANGEROUS_NAMES) {
        return Verdict::Dangerous;
    }
    // A name with points in it walks through attributes, and so through whatever the module has imported itself.
    let by_the_way =
        |part: &str| DANGEROUS.contains(&part) || DANGEROUS_BUILTINS.contains(&part) || part.starts_with("__");
    if name.contains('.') && name.split('.').any(by_the_way) {
        return Verdict::Dangerous;
    }
    Verdict::Unknown
}

/// `torch.FloatStorage` and its like, and types such as `torch.float16`.
fn is_plain_of_torch(name: &str) -> bool {
    const TYPES: &[&str] = &[
        "bfloat16",
        "bool",
        "complex128",
        "complex32",
        "complex64",
        "double",
        "float",
        "float16",
        "float32",
        "float64",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
        "half",
        "int",
        "int16",
        "int32",
        "int64",
        "int8",
        "long",
        "qint32",
        "qint8",
        "quint4x2",
        "quint8",
        "short",
        "strided",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
    ];
    const STORAGES: &[&str] = &[
        "BFloat16",
        "Bool",
        "Byte",
        "Char",
        "ComplexDouble",
        "ComplexFloat",
        "Double",
        "Float",
        "Half",
        "Int",
        "Long",
        "QInt32",
        "QInt8",
        "QUInt2x4",
        "QUInt4x2",
        "QUInt8",
        "Short",
    ];
    TYPES.contains(&name) || name.strip_suffix("Storage").is_some_and(|of| STORAGES.contains(&of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weights_need_is_expected() {
        for (module, name) in [
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "HalfStorage"),
            ("torch", "float8_e4m3fn"),
            ("collections", "OrderedDict"),
            ("numpy.core.multiarray", "scalar"),
            ("__builtin__", "set"),
        ] {
            assert_eq!(judge(module, name), Verdict::Expected, "{module}.{name}");
        }
    }

    #[test]
    fn what_can_do_harm_is_dangerous_however_it_is_reached() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("os.path", "join"),
            ("subprocess", "Popen"),
            ("builtins", "eval"),
            ("__builtin__", "getattr"),
            ("torch.storage", "_load_from_bytes"),
            ("torch.serialization", "os.system"),
            ("mymodule", "x.__globals__"),
            ("functools", "partial"),
        ] {
            assert_eq!(judge(module, name), Verdict::Dangerous, "{module}.{name}");
        }
    }

    #[test]
    fn everything_else_is_unknown() {
        let module = "pytorch_lightning.callbacks.model_checkpoint";
        assert_eq!(judge(module, "ModelCheckpoint"), Verdict::Unknown);
        assert_eq!(judge("osmosis", "system"), Verdict::Unknown);
        assert_eq!(judge("", ""), Verdict::Unknown);
    }
}
