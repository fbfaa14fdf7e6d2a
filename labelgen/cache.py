"""Where catlip keeps what it can fetch or make again."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The platform's cache folder for catlip, or CATLIP_CACHE_DIR."""
    own = os.environ.get("CATLIP_CACHE_DIR")
    return Path(own) if own else platformdirs.user_cache_path("catlip")
