"""ComfyGit's reading of workflows, for comparison: comfygit_parse.py FOLDER

Run with the Python of an environment in which `comfygit` is installed. Prints what was found in all `*.json` of the folder as one
JSON line.
"""

import json
import logging
import sys
import time
from pathlib import Path

from comfygit_core.analyzers.workflow_dependency_parser import WorkflowDependencyParser
from comfygit_core.configs.model_config import ModelConfig

logging.disable(logging.CRITICAL)
begun = time.perf_counter()
config = ModelConfig.load()
models = nodes = failed = 0
for path in sorted(Path(sys.argv[1]).glob("*.json")):
    try:
        found = WorkflowDependencyParser(path, model_config=config).analyze_dependencies()
    except Exception:
        failed += 1
        continue
    models += len(found.found_models)
    nodes += len(found.builtin_nodes) + len(found.non_builtin_nodes) + len(found.version_gated_nodes)
print(json.dumps({"models": models, "nodes": nodes, "failed": failed, "seconds": round(time.perf_counter() - begun, 3)}))
