"""Hooks: what runs before a handler, after it, and when its request or stream is over.

Floor 1. Order: `before` of the app's hooks, the blueprint's, the route's; the handler;
`after` and `cleanup` the other way round. A hook whose `before` was entered gets its
`cleanup` exactly once; one whose `before` was never reached gets none.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, cast, overload

from .errors import DeclarationError
from .logs import Log

log = Log(__name__)

Phase = Callable[..., Any]
GeneratorHook = Callable[[Any], Iterator[Any]]
NO_STATE: Any = object()
P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One hook: up to three phases, each called with the `Context` (and `state`, if any)."""

    name: str
    before: Phase | None = None
    after: Phase | None = None
    cleanup: Phase | None = None
    generator: GeneratorHook | None = None
    state: Any = NO_STATE
    # OpenAPI security schemes by name: what a client has to bring to be let in.
    security: Mapping[str, Any] = field(default_factory=dict)

    def call(self, phase: Phase, ctx: Any) -> Any:
        """Call a phase the way this hook was declared."""
        return phase(ctx) if self.state is NO_STATE else phase(ctx, self.state)


@dataclass(frozen=True)
class ComposedHook:
    """Several hooks in the place of one; each keeps its phases and its own cleanup."""

    hooks: tuple[Hook, ...]


AnyHook = Hook | ComposedHook


@overload
def define_hook(
    name: str | None = None,
    *,
    before: Phase | None = None,
    after: Phase | None = None,
    cleanup: Phase | None = None,
    setup: None = None,
    security: Mapping[str, Any] | None = None,
) -> Hook: ...


@overload
def define_hook(
    name: str | None = None,
    *,
    before: Phase | None = None,
    after: Phase | None = None,
    cleanup: Phase | None = None,
    setup: Callable[P, Any],
    security: Mapping[str, Any] | None = None,
) -> Callable[P, Hook]: ...


def define_hook(
    name: str | None = None,
    *,
    before: Phase | None = None,
    after: Phase | None = None,
    cleanup: Phase | None = None,
    setup: Phase | None = None,
    security: Mapping[str, Any] | None = None,
) -> Hook | Callable[..., Hook]:
    """Return a hook, or with `setup` a factory of hooks.

    `before(ctx)` may refuse by raising an `HTTPException`; on an http route a value that it
    returns is the response. `after(ctx)` may replace `ctx.response` (http only).
    `cleanup(ctx)` runs once when the request or stream is over; it sees `ctx.outcome`.
    With `setup`, the factory's arguments go to it and its result is the second argument,
    `state`, of every phase. `security` documents what `before` asks for, as OpenAPI's
    security schemes by name: `{"token": {"type": "http", "scheme": "bearer"}}`. Several
    schemes are alternatives; what several hooks ask for is all needed. Raises
    `DeclarationError`.
    """
    phases = {"before": before, "after": after, "cleanup": cleanup}
    given = {key: function for key, function in phases.items() if function is not None}
    title = name or next((f.__name__ for f in given.values() if hasattr(f, "__name__")), "hook")
    if not given:
        raise DeclarationError(f"Hook {title!r} does nothing: give it before, after or cleanup.")
    for key, function in given.items():
        _check_phase(title, key, function, 1 if setup is None else 2)
    hook = Hook(name=title, **phases, security=_checked_security(title, security))
    if setup is None:
        return hook
    _refuse_async(title, "setup", setup)

    def factory(*args: Any, **kwargs: Any) -> Hook:
        return replace(hook, state=setup(*args, **kwargs))

    factory.__name__ = factory.__qualname__ = title
    return factory


@overload
def hook(function: GeneratorHook, *, security: Mapping[str, Any] | None = None) -> Hook: ...


@overload
def hook(
    function: None = None, *, security: Mapping[str, Any] | None = None
) -> Callable[[GeneratorHook], Hook]: ...


def hook(
    function: GeneratorHook | None = None, *, security: Mapping[str, Any] | None = None
) -> Hook | Callable[[GeneratorHook], Hook]:
    """Make a hook of a generator function: before its `yield` is before, after it is cleanup.

    A value that it returns without having yielded is a response, like one that `before`
    returns. `security` is as in `define_hook`. Raises `DeclarationError` for anything but a
    generator function.
    """

    def make(function: GeneratorHook) -> Hook:
        name = getattr(function, "__name__", repr(function))
        _refuse_async(name, "hook", function)
        if not inspect.isgeneratorfunction(function):
            raise DeclarationError(
                f"Hook {name!r} under @hook must be a generator function with one yield; "
                "for separate functions use define_hook(before=..., cleanup=...)."
            )
        _check_arity(name, "function", function, 1)
        return Hook(name=name, generator=function, security=_checked_security(name, security))

    return make if function is None else make(function)


def _checked_security(name: str, security: Any) -> Mapping[str, Any]:
    for key, scheme in (security or {}).items():
        if not isinstance(key, str) or not isinstance(scheme, Mapping) or "type" not in scheme:
            raise DeclarationError(
                f"Hook {name!r}: security= maps names to OpenAPI security schemes, such as "
                f'{{"token": {{"type": "http", "scheme": "bearer"}}}}, not {key!r} to {scheme!r}.'
            )
    return dict(security or {})


def compose_hooks(*hooks: AnyHook) -> ComposedHook:
    """Return one hook that stands for several, in this order."""
    return ComposedHook(flatten(hooks, "compose_hooks"))


def flatten(hooks: Iterable[AnyHook], owner: str) -> tuple[Hook, ...]:
    """Return plain hooks in order; `owner` names who declared them, for the error."""
    if not isinstance(hooks, Iterable):
        raise DeclarationError(f"{owner}: hooks= takes a list of hooks, not {hooks!r}.")
    found: list[Hook] = []
    for each in hooks:
        if isinstance(each, ComposedHook):
            found.extend(each.hooks)
        elif isinstance(each, Hook):
            found.append(each)
        else:
            raise DeclarationError(
                f"{owner}: hooks= takes what define_hook(), @hook or compose_hooks() return, "
                f"not {each!r}. (A factory made with setup= has to be called.)"
            )
    return tuple(found)


def _check_phase(name: str, key: str, function: Phase, arity: int) -> None:
    if not callable(function):
        raise DeclarationError(f"Hook {name!r}: {key}= must be callable, not {function!r}.")
    _refuse_async(name, key, function)
    if inspect.isgeneratorfunction(function):
        raise DeclarationError(
            f"Hook {name!r}: {key}= is a generator function; put it under @hook instead."
        )
    _check_arity(name, key, function, arity)


def _refuse_async(name: str, key: str, function: Any) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DeclarationError(f"Hook {name!r}: {key} is `async def`; write a plain function.")


def _check_arity(name: str, key: str, function: Phase, arity: int) -> None:
    try:
        inspect.signature(function).bind(*[None] * arity)
    except TypeError:
        wanted = "(ctx)" if arity == 1 else "(ctx, state)"
        raise DeclarationError(f"Hook {name!r}: {key} must take {wanted}.") from None
    except ValueError:
        return  # a builtin without a signature: it says so itself when called


class HookRun:
    """The hooks of one request: which were entered, and that each is cleaned up once."""

    __slots__ = ("_cleaned", "_ctx", "_entered", "_hooks", "_lock")

    def __init__(self, hooks: tuple[Hook, ...], ctx: Any) -> None:
        self._hooks = hooks
        self._ctx = ctx
        self._entered: list[tuple[Hook, Generator[Any, None, Any] | None]] = []
        self._cleaned = False
        self._lock = threading.Lock()

    @property
    def needs_cleanup(self) -> bool:
        """Whether any entered hook has something to clean up."""
        return any(hook.cleanup or generator for hook, generator in self._entered)

    def before(self) -> Any:
        """Run the `before` phases; stop at the first that returns something, and return it."""
        for hook in self._hooks:
            answer = self._enter(hook)
            if answer is not None:
                return answer
        return None

    def _enter(self, hook: Hook) -> Any:
        made = hook.generator(self._ctx) if hook.generator else None
        generator = cast("Generator[Any, None, Any] | None", made)
        self._entered.append((hook, generator))
        if generator is not None:
            try:
                next(generator)
            except StopIteration as stop:
                return stop.value
            return None
        return hook.call(hook.before, self._ctx) if hook.before else None

    def after(self) -> None:
        """Run the `after` phases of the entered hooks, last first."""
        for hook, _ in reversed(self._entered):
            if hook.after:
                hook.call(hook.after, self._ctx)

    def cleanup(self) -> None:
        """Run the `cleanup` phases of the entered hooks, last first, once; never raises."""
        with self._lock:
            if self._cleaned:
                return
            self._cleaned = True
        for hook, generator in reversed(self._entered):
            try:
                self._leave(hook, generator)
            except BaseException as error:  # whatever it is, the others' turn comes
                log.error("Cleanup of hook %r failed", hook.name, error=error)

    def _leave(self, hook: Hook, generator: Generator[Any, None, Any] | None) -> None:
        if generator is None:
            if hook.cleanup:
                hook.call(hook.cleanup, self._ctx)
            return
        try:
            next(generator)
        except StopIteration:
            return
        generator.close()
        raise RuntimeError(f"hook {hook.name!r} yields more than once")
