"""Results are stored on disk, so that an interrupted command resumes where it stopped."""

import hashlib
from pathlib import Path

import joblib

import ctsk

_HERE = Path(__file__).parent


def _store(title, modules):
    """Return a store that is cleared if the package or one of the modules changes."""
    paths = sorted([*modules, *Path(ctsk.__file__).parent.rglob("*.py")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]
    return joblib.Memory(_HERE / ".cache" / f"{title}-{digest}", verbose=0)


_modules = {path.stem: path for path in _HERE.glob("*.py") if not path.stem.startswith("page")}

# Questions share models and rounds; their store remains valid if only a question changes.
MODELS = _store("models", [_modules[name] for name in ("protocol", "models", "rivals", "rounds")])
OUTCOMES = _store("outcomes", _modules.values())
