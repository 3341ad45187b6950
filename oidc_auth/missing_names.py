"""Names that do not exist in this package, in ``auth.path`` of aegra.json.

Aegra treats all users as anonymous if it cannot import ``auth.path`` (measured on aegra-api 0.11.0). It catches each
``Exception``. So such a name ends as ``SystemExit`` there, and Aegra refuses all requests. A misspelt name of another
package cannot be detected.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

AEGRA = "aegra_api"
"""The package of the server."""
ENTRY_MODULE = "oidc_auth.aegra"
ENTRY = f"{ENTRY_MODULE}:auth"


def missing_name(module: str, name: str) -> BaseException:
    """Return the exception to raise for a name that a module does not have.

    Args:
        module: The name of the module.
        name: The missing name.
    """
    # Tools ask modules for special names, such as __wrapped__. Aegra cannot mean these.
    if _loads_entry() and not (name.startswith("__") and name.endswith("__")):
        return _exit(f"{module} has no {name!r}")
    return AttributeError(f"module {module!r} has no attribute {name!r}")


def watch_imports(package: str) -> None:
    """Let imports of missing modules of a package end as ``SystemExit`` in Aegra."""
    if AEGRA in sys.modules:
        # After all other finders, so that it is asked only for missing modules.
        sys.meta_path.append(_MissingModules(package))


class _MissingModules:
    """An import finder that finds nothing."""

    def __init__(self, package: str) -> None:
        self.prefix = f"{package}."

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse a missing module of the package, while Aegra loads its hook."""
        del path, target
        if name.startswith(self.prefix) and _loads_entry():
            raise _exit(f"the package has no module {name!r}")
        return None


def _loads_entry() -> bool:
    """Tell whether the process is Aegra and has no hook yet. It loads its hook only once."""
    entry = sys.modules.get(ENTRY_MODULE)
    return AEGRA in sys.modules and (entry is None or "auth" not in vars(entry))


def _exit(fault: str) -> SystemExit:
    return SystemExit(f'oidc_auth: {fault}. In aegra.json, set auth.path to "{ENTRY}".')
