"""ComfyGit's scan of a models folder, for comparison: comfygit_index.py MODELS_FOLDER DATABASE

Run with the Python of an environment in which `comfygit` is installed. Prints what the scan counted as one JSON line.
The database is made if it is absent; run again with the same one for a second scan.
"""

import json
import logging
import sys
import time
from pathlib import Path

from comfygit_core.analyzers.model_scanner import ModelScanner
from comfygit_core.repositories.model_repository import ModelRepository

logging.disable(logging.CRITICAL)
folder, database = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
begun = time.perf_counter()
repository = ModelRepository(database, current_directory=folder)
result = ModelScanner(repository).scan_directory(folder, quiet=True)
print(
    json.dumps(
        {
            "scanned": result.scanned_count,
            "added": result.added_count,
            "skipped": result.skipped_count,
            "errors": result.error_count,
            "seconds": round(time.perf_counter() - begun, 3),
        }
    )
)
