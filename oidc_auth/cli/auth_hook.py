"""The authenticate hook that langgraph.json names, and the configuration in it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from contextlib import ExitStack, chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..config.raw_document import did_you_mean, read_strings
from ..errors import ConfigError, Problem
from ..langgraph.hook import find_oidc_auth, is_auth
from .langgraph_json import AEGRA_ENTRY, AEGRA_JSON, ENTRY, read_document, read_environment, read_hook

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path
    from types import ModuleType

    from ..authentication import OIDCAuth

WHERE = "auth.path"
ENTRIES = (ENTRY, AEGRA_ENTRY)
"""The hooks of this library, which need no code."""
JAVASCRIPT = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
IGNORED_FOLDERS = frozenset({"venv", "site-packages", "node_modules", "__pycache__"})
MAX_SUGGESTED_FILES = 500
MAX_MESSAGE = 300
"""Characters of the message of an exception."""


@dataclass(frozen=True, slots=True)
class AuthHook:
    """The hook of a deployment.

    Attributes:
        path: The value of ``auth.path``, or "".
        oidc: The object that ``protect`` or ``authenticate_hook`` uses. None if there is none, or for ``ENTRIES``.
        error: Why the hook cannot be imported.
    """

    path: str = ""
    oidc: OIDCAuth | None = None
    error: ConfigError | None = None


def find_hook(langgraph_file: Path) -> AuthHook:
    """Import the hook of a deployment.

    It runs the user's module, as the server does. The hook of this library is not imported.
    """
    try:
        document = read_document(langgraph_file)
    except ValueError:
        # The commands also work without this file. doctor has a check that reports it.
        return AuthHook()
    path = read_hook(document)
    # These read the same configuration as the commands. They report all its errors, and the import would end the
    # process.
    if path in ("", *ENTRIES) or path.rpartition(":")[0].endswith(JAVASCRIPT):
        return AuthHook(path)
    try:
        with _server_process(langgraph_file, document):
            return AuthHook(path, find_oidc_auth(_import_object(path, langgraph_file)))
    except ConfigError as error:
        return AuthHook(path, error=error)


@contextmanager
def _server_process(langgraph_file: Path, document: Mapping[str, Any]) -> Generator[None]:
    """Set variables, folder and import path as the server does."""
    folder = langgraph_file.parent.resolve()
    local = [folder / name for name in read_strings(document.get("dependencies")) if name.startswith(".")]
    # Restored at the end, because the checks of doctor run later in this process.
    environ, path = dict(os.environ), [*sys.path]
    try:
        os.environ.update(read_environment(langgraph_file))
        # At the end, as langgraph-cli does: an installed package wins over a folder of the same name.
        sys.path += [str(each.resolve()) for each in (folder, *local)]
        with ExitStack() as stack:
            stack.enter_context(chdir(folder))
            # The output of a command may be JSON. The module must not add to it.
            stack.enter_context(redirect_stdout(sys.stderr))
            yield
    finally:
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path


def _import_object(path: str, langgraph_file: Path) -> object:
    module_name, colon, name = path.rpartition(":")
    if not colon:
        message = f"is {path!r}, expected FILE.py:NAME or MODULE:NAME"
        raise _error(langgraph_file, message, f'Set "path": "./auth.py:auth" or "path": "{_entry_of(langgraph_file)}".')
    module = _import(module_name, path, langgraph_file)
    found: object = getattr(module, name, None)
    if found is None:
        others = [other for other, value in vars(module).items() if is_auth(value)]
        hint = did_you_mean(name, others) or f"Names of Auth objects in it: {', '.join(others) or 'none'}."
        raise _error(langgraph_file, f"is {path!r}, but {module_name} has no {name}", hint)
    # langgraph-api refuses it too (auth/custom.py), but only when it starts.
    if not is_auth(found):
        message = f"is {path!r}, a {type(found).__name__}; expected the Auth object of protect()"
        raise _error(langgraph_file, message, f"Write {name} = protect(...) in {module_name}.")
    return found


def _entry_of(langgraph_file: Path) -> str:
    """Return the hook of this library for a server."""
    return AEGRA_ENTRY if langgraph_file.name == AEGRA_JSON else ENTRY


def _import(module_name: str, path: str, langgraph_file: Path) -> ModuleType:
    try:
        # The same rule as in langgraph_api.auth.custom: a path, or else a module.
        if "/" in module_name or ".py" in module_name:
            return _import_file(module_name, langgraph_file)
        return importlib.import_module(module_name)
    except ConfigError:
        raise
    except (FileNotFoundError, ModuleNotFoundError) as error:
        if not _is_missing(error, module_name):
            raise _import_error(error, path, langgraph_file) from None
        folder = langgraph_file.parent
        name = path.rpartition(":")[2]
        known = [*ENTRIES, *(f"{file}:{name}" for file in _python_files(folder))]
        hint = did_you_mean(path, known) or f'Set "path": "{_entry_of(langgraph_file)}", or the path of another file.'
        message = f"is {path!r}, but there is no {module_name} in {folder.resolve()}"
        raise _error(langgraph_file, message, hint) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the module of a user can raise anything
        raise _import_error(error, path, langgraph_file) from None


def _import_file(name: str, langgraph_file: Path) -> ModuleType:
    file = (langgraph_file.parent / name).resolve()
    if not file.is_file():
        raise FileNotFoundError(name)
    # With a new name. A hook is often auth.py, and must not replace an installed module of that name.
    spec = importlib.util.spec_from_file_location(f"oidc_auth_hook_{abs(hash(file))}", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    # Before it runs, because dataclasses look up their module there.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        # A module that stopped halfway must not be found by a later import.
        del sys.modules[spec.name]
        raise
    return module


def _is_missing(error: FileNotFoundError | ModuleNotFoundError, module_name: str) -> bool:
    """Tell whether the hook's own module is missing, and not one that it imports or a file that it reads."""
    if isinstance(error, ModuleNotFoundError):
        return error.name is not None and f"{module_name}.".startswith(f"{error.name}.")
    return error.args == (module_name,)


def _python_files(folder: Path) -> list[str]:
    files: list[str] = []
    # Two levels, because a project can contain thousands of files.
    for file in sorted(folder.resolve().glob("*.py")) + sorted(folder.resolve().glob("*/*.py")):
        relative = file.relative_to(folder.resolve())
        if IGNORED_FOLDERS.isdisjoint(relative.parts) and not any(part.startswith(".") for part in relative.parts):
            files.append(f"./{relative.as_posix()}")
    return files[:MAX_SUGGESTED_FILES]


def _import_error(error: BaseException, path: str, langgraph_file: Path) -> ConfigError:
    frames = traceback.extract_tb(error.__traceback__)
    folder = str(langgraph_file.parent.resolve())
    # The last line in the user's own files. A line of a library does not tell what to change.
    own = [frame for frame in frames if frame.filename.startswith(folder)]
    place = f" in {own[-1].filename}, line {own[-1].lineno}" if own else ""
    # On one line: the text of an exception can be long, such as a report of pydantic.
    text = " ".join(str(error).split())[:MAX_MESSAGE]
    message = f"is {path!r}, which cannot be imported: {type(error).__name__}: {text}{place}"
    return _error(langgraph_file, message, _hint(error))


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"Install {error.name.partition('.')[0]} in the environment of the command oidc-auth."
    # os.environ["NAME"] raises it if the variable is set for the server only.
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str) and error.args[0].isupper():
        return f"Set {error.args[0]} in the shell, or in the key env of langgraph.json."
    return "Fix the error in this module. The server cannot start with it either."


def _error(langgraph_file: Path, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(WHERE, message, hint)], source=str(langgraph_file))
