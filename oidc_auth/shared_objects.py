"""One object for each configuration in a process.

langgraph-api executes ``./mine.py:auth`` and ``./mine.py:app`` as two modules. Both must share the keys, the cached
tokens and the revocations, so equal arguments give the same object.
"""

from __future__ import annotations

from threading import Lock
from types import BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

T = TypeVar("T")


class SharedObjects(Generic[T]):
    """Objects by what they were made of. An object that nothing else uses is forgotten."""

    def __init__(self) -> None:
        self._objects: WeakValueDictionary[Hashable, T] = WeakValueDictionary()
        # Servers may load their modules in several threads.
        self._lock = Lock()

    def get_or_create(self, key: Hashable, create: Callable[[], T]) -> T:
        """Return the object of a key."""
        with self._lock:
            found = self._objects.get(key)
            if found is None:
                found = self._objects[key] = create()
            return found


def key_of(options: Mapping[str, object]) -> Hashable:
    """Return what must be equal for two sets of options to be the same."""
    return tuple((name, _identity(option)) for name, option in sorted(options.items()))


def _identity(option: object) -> Hashable:
    if isinstance(option, MethodType):
        # Each access to a method gives a new object.
        return id(option.__self__), option.__func__
    if isinstance(option, BuiltinMethodType):
        return id(option.__self__), option.__name__
    if isinstance(option, FunctionType) and _is_defined_by_file(option):
        return option.__code__.co_filename, option.__code__
    return id(option)


def _is_defined_by_file(function: FunctionType) -> bool:
    """Tell whether a file that is executed twice defines the same function twice."""
    # A closure or a default value can differ between two functions of one line, and so can the globals of exec().
    differs = function.__closure__ or function.__defaults__ or function.__kwdefaults__
    return not differs and function.__globals__.get("__file__") == function.__code__.co_filename
