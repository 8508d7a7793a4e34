"""ComfyGit's resolution of a workflow's models, for comparison: comfygit_resolve.py [--index] MODELS_FOLDER DATABASE [WORKFLOW]

Run with the Python of an environment in which `comfygit` is installed. With --index it only makes the database, by writing down each
file under the hash of its path in one transaction: its own scan takes a minute for so many files, and is another row's concern.
Prints what was resolved as one JSON line.
"""

import hashlib
import json
import logging
import sqlite3
import sys
import time
from pathlib import Path

from comfygit_core.analyzers.workflow_dependency_parser import WorkflowDependencyParser
from comfygit_core.configs.model_config import ModelConfig
from comfygit_core.models.workflow import ModelResolutionContext
from comfygit_core.repositories.model_repository import ModelRepository
from comfygit_core.resolvers.model_resolver import ModelResolver

logging.disable(logging.CRITICAL)
words = sys.argv[1:]
index = words[0] == "--index"
folder, database, *workflow = words[1:] if index else words
folder = Path(folder).resolve()
repository = ModelRepository(Path(database).resolve(), current_directory=folder)
if index:
    repository.ensure_schema()
    now = int(time.time())
    with sqlite3.connect(database) as db:
        for path in sorted(folder.rglob("*.safetensors")):
            name, about = path.relative_to(folder).as_posix(), path.stat()
            digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
            db.execute("INSERT INTO models (hash, file_size, first_seen, metadata) VALUES (?, ?, ?, '{}')", (digest, about.st_size, now))
            db.execute(
                "INSERT INTO model_locations (model_hash, base_directory, relative_path, filename, mtime, last_seen) VALUES (?, ?, ?, ?, ?, ?)",
                (digest, str(folder), name, path.name, about.st_mtime, now),
            )
    sys.exit()
begun = time.perf_counter()
config = ModelConfig.load()
found = WorkflowDependencyParser(Path(workflow[0]), model_config=config).analyze_dependencies()
resolver = ModelResolver(repository, model_config=config)
context = ModelResolutionContext(workflow_name="all")
resolved = sum(bool(resolver.resolve_model(reference, context)) for reference in found.found_models)
print(json.dumps({"references": len(found.found_models), "resolved": resolved, "seconds": round(time.perf_counter() - begun, 3)}))
