"""The patch table: which of PocketFlow's methods are hooked, and what each hook does.

Every hook asks whether a scope begins with this call; if none does it calls through. The questions are answered
below, by what the current scope is: a method reached through ``super()`` belongs to the scope that the method calling
it began.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from pocketflow_otel.budgets import BUDGETS, BudgetExceeded, nothing_recorded
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation import budgeting
from pocketflow_otel.instrumentation.flows import FlowRun
from pocketflow_otel.instrumentation.graph import own_name
from pocketflow_otel.instrumentation.patching import ClassPatcher, HookFactory, Method
from pocketflow_otel.instrumentation.scopes import Dormant, Orchestration, Scope
from pocketflow_otel.instrumentation.sdk_spans import SdkSpans
from pocketflow_otel.instrumentation.selection import Level
from pocketflow_otel.instrumentation.tracing import SCOPE, Tracing
from pocketflow_otel.instrumentation.tries import Attempt, Item, Trial
from pocketflow_otel.instrumentation.visits import Visit
from pocketflow_otel.visiting import StoreView

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from pocketflow_otel.instrumentation.classes import ClassInfo

_Arguments = tuple[Any, ...]
_Keywords = dict[str, Any]
_Begin = Callable[[type, Any, _Arguments, _Keywords], Any]
"""Begins a scope if this call is one: (class defining the method, instance, arguments, keyword arguments)."""


def _argument(args: _Arguments, kwargs: _Keywords, position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs.get(name)


def _store(args: _Arguments, kwargs: _Keywords) -> Any:
    """The store that a visit is given; of a view the store itself."""
    store: Any = args[0] if args else kwargs.get("shared")
    return store.viewed_store if issubclass(type(store), StoreView) else store


class Hooks:
    """The hooks of one instrumentation.

    Args:
        tracing: What the hooks work with.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._sdk_spans = SdkSpans(tracing.accounts)
        self._sdk_spans.install()
        self._active = True
        always: dict[str, HookFactory] = {
            "_run": self._around(self._begin_visit),
            "_run_async": self._around(self._begin_visit, promised=True),
            "_orch": self._around(self._begin_orchestration),
            "_orch_async": self._around(self._begin_orchestration, promised=True),
            "_exec": self._around(self._begin_exec),
            "exec_fallback": self._around(self._begin_fallback),
            "exec_fallback_async": self._around(self._begin_fallback, promised=True),
        }
        # Hooked only in classes seen to try more than once: all others are spared the call.
        self._tries: dict[str, HookFactory] = {
            "exec": self._around(self._begin_attempt),
            "exec_async": self._around(self._begin_attempt, promised=True),
        }
        self._patcher = ClassPatcher(always, frozenset({*always, *self._tries}))

    def adopt(self, base: type) -> None:
        """Hooks the classes of one PocketFlow, given their root ``BaseNode``."""
        self._tracing.classes.add_library(base)
        self._patcher.patch_tree(base)

    def remove(self) -> None:
        """Takes all hooks away; one that is still held somewhere calls through from now on."""
        self._active = False
        self._patcher.unpatch()
        self._sdk_spans.remove()

    # What every hook does: sync, async, and the plain function that returns something to be awaited.

    def _around(self, begin: _Begin, *, promised: bool = False) -> HookFactory:
        def factory(owner: type, call: Method, is_async: bool) -> Method:
            if is_async:
                return _async_hook(begin, owner, call)
            return _promise_hook(begin, owner, call) if promised else _sync_hook(begin, owner, call)

        return factory

    # Visits and runs.

    def _begin_visit(self, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords) -> Scope | None:
        tracing = self._tracing
        around = otel_context.get_current()
        parent: Any = around.get(SCOPE)
        info = tracing.classes.known.get(id(type(instance))) or tracing.classes.info(type(instance))
        if type(parent) is not Orchestration:
            if not self._active or not info.is_node or _reached_by_super(parent, owner, instance):
                return None
            if parent is None and info.is_flow:
                self._sdk_spans.install()
                around = tracing.around_flow(around)
            if type(parent) is Dormant:
                begins = BUDGETS in around and not parent.is_same_visit(owner, instance)
                return self._begin_untraced(owner, instance, parent, around) if begins else None
            if not tracing.enabled() or (parent is None and BUDGETS not in around and not tracing.is_live()):
                return self._begin_untraced(owner, instance, parent, around)
        elif not info.is_node:
            return None
        store = args[0] if args and type(args[0]) is dict else _store(args, kwargs)
        visit: Visit = (FlowRun if info.is_flow else Visit)(tracing, owner, instance, info, parent, store)
        if BUDGETS in around and _is_visit(parent, info) and (visit.place.is_plain or _is_outermost(owner, instance)):
            budgeting.begin_visit(around, visit.place.name, parent)
        if not visit.place.is_plain:
            return self._begin_selected(visit, parent, around)
        if visit.max_retries != 1 and not info.tries_wrapped:
            self._watch_tries(type(instance), info)
        visit.begin(around)
        return visit

    def _begin_untraced(self, owner: type, instance: Any, parent: Any, around: Context) -> Dormant:
        """Begins what is not traced; budgets hold there as well."""
        info = self._tracing.classes.info(type(instance))
        if BUDGETS in around and _is_visit(parent, info):
            budgeting.begin_visit(around, self._tracing.safe(own_name(instance, info.name)), parent)
        if parent is None:
            nothing_recorded(around)
        return _dormant(self._tracing, parent, around, owner, instance)

    def _begin_selected(self, visit: Visit, parent: Any, around: Context) -> Scope | None:
        """Begins a visit of what a pattern speaks of."""
        if visit.place.level is Level.EXCLUDED:
            return _dormant(self._tracing, parent, around, visit.owner, visit.instance)
        if visit.place.level is Level.DETAILED:
            if visit.max_retries != 1 and not visit.info.tries_wrapped:
                self._watch_tries(type(visit.instance), visit.info)
            visit.begin(around)
            return visit
        if not isinstance(visit, FlowRun):
            return None
        visit.begin_transparent(around)
        return visit

    def _watch_tries(self, cls: type, info: ClassInfo) -> None:
        for base in type.mro(cls):
            for name, factory in self._tries.items():
                if name in base.__dict__:
                    self._patcher.patch_method(base, name, factory)
        info.tries_wrapped = True

    def _begin_orchestration(self, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords) -> Any:
        around = otel_context.get_current()
        parent: Any = around.get(SCOPE)
        if type(parent) is Dormant:
            return None
        if type(parent) is Orchestration and parent.flow.instance is instance and parent.owner is not owner:
            return None
        params = _argument(args, kwargs, 1, "params")
        if isinstance(parent, FlowRun) and parent.instance is instance:
            return Orchestration(parent, owner, params, around)
        # Called by itself, not by the flow's own run, or in a thread that the context did not reach.
        flow = self._begin_visit(owner, instance, args, kwargs)
        if not isinstance(flow, FlowRun):
            return flow
        return _Nested(Orchestration(flow, owner, params, flow.context), flow)

    # What happens within a visit.

    def _begin_exec(self, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords) -> Any:
        around = otel_context.get_current()
        visit: Any = around.get(SCOPE)
        # A scope that is no visit has no instance.
        if visit is None or visit.instance is not instance:
            return None
        info = visit.info
        if info.is_batch and owner not in info.whole_batch:
            return Item(visit, around)
        if visit.in_exec or not (visit.recording or info.is_batch or visit.max_retries != 1 or BUDGETS in around):
            return None
        visit.exec_began(args[0] if args else next(iter(kwargs.values()), None))
        return _ExecPhase(visit)

    def _begin_attempt(self, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords) -> Scope | None:  # noqa: ARG002 - `_Begin`
        around = otel_context.get_current()
        trial = _trial_of(around.get(SCOPE), instance)
        if trial is None or trial.max_retries <= 1:
            return None
        return Attempt(trial, around)

    def _begin_fallback(self, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords) -> Any:  # noqa: ARG002 - `_Begin`
        trial = _trial_of(otel_context.get_value(SCOPE), instance)
        return None if trial is None else _FallbackPhase(trial)


def _not_begun() -> Any:
    """What hooks go on with where no scope could be begun: none."""
    guard.caught("beginning a span")


def _fail(scope: Any, error: BaseException) -> None:
    try:
        scope.fail(error)
    except Exception:  # noqa: BLE001 - the guard decides
        _not_ended(scope)


def _not_ended(scope: Any) -> None:
    """What hooks do where a scope could not be ended: at least its span is."""
    with suppress(Exception):
        scope.end()
    guard.caught("ending a span")


def _sync_hook(begin: _Begin, owner: type, call: Method) -> Method:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            scope = begin(owner, self, args, kwargs)
        except BudgetExceeded:
            raise
        except Exception:  # noqa: BLE001 - the guard decides
            scope = _not_begun()
        if scope is None:
            return call(self, *args, **kwargs)
        try:
            result = call(self, *args, **kwargs)
        except BaseException as error:
            _fail(scope, error)
            raise
        try:
            scope.finish(result)
        except Exception:  # noqa: BLE001 - the guard decides
            _not_ended(scope)
        return result

    return method


def _async_hook(begin: _Begin, owner: type, call: Method) -> Method:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            scope = begin(owner, self, args, kwargs)
        except BudgetExceeded:
            raise
        except Exception:  # noqa: BLE001 - the guard decides
            scope = _not_begun()
        if scope is None:
            return await call(self, *args, **kwargs)
        try:
            result = await call(self, *args, **kwargs)
        except BaseException as error:
            _fail(scope, error)
            raise
        try:
            scope.finish(result)
        except Exception:  # noqa: BLE001 - the guard decides
            _not_ended(scope)
        return result

    return method


def _promise_hook(begin: _Begin, owner: type, call: Method) -> Method:
    """For a plain function under an async method's name: a coroutine that it returns is awaited in the scope."""

    async def awaiting(promise: Any) -> Any:
        return await promise

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            promise = call(self, *args, **kwargs)
        except BaseException as error:
            _tell_of_failure(begin, owner, self, args, kwargs, error)
            raise
        if not inspect.iscoroutine(promise):
            return promise

        def begin_or_close(*called: Any) -> Any:
            try:
                return begin(*called)
            except BudgetExceeded:
                promise.close()  # or Python warns that it was never awaited
                raise

        return _async_hook(begin_or_close, owner, lambda *_, **__: awaiting(promise))(self, *args, **kwargs)

    return method


def _tell_of_failure(
    begin: _Begin, owner: type, instance: Any, args: _Arguments, kwargs: _Keywords, error: BaseException
) -> None:
    """Tells of a call that raised before there was anything to await."""
    try:
        scope = begin(owner, instance, args, kwargs)
    except BudgetExceeded:
        return  # the program's own error goes before
    except Exception:  # noqa: BLE001 - the guard decides
        scope = _not_begun()
    if scope is not None:
        _fail(scope, error)


def _is_visit(parent: Any, info: ClassInfo) -> bool:
    """Whether what begins is a visit: a flow that is run rather than visited is none, but its nodes are."""
    return not info.is_flow or type(parent) is Orchestration or (type(parent) is Dormant and parent.is_flow)


def _is_outermost(owner: type, instance: Any) -> bool:
    """Whether no class before this one defines the method: of a node that has no scope the hooks begin each time."""
    definers = (cls for cls in type.mro(type(instance)) if not {"_run", "_run_async"}.isdisjoint(cls.__dict__))
    return next(definers, None) is owner


def _reached_by_super(scope: Any, owner: type, instance: Any) -> bool:
    """Whether a method is part of a visit under way: another class's method began it for the same object."""
    return scope is not None and scope.instance is instance and scope.owner is not owner


def _trial_of(scope: Any, instance: Any) -> Trial | None:
    """What is being tried, if it is this node's; ``exec`` may be a static or class method, which has no instance."""
    if not isinstance(scope, Trial) or (isinstance(scope, Visit) and (not scope.in_exec or scope.info.is_batch)):
        return None
    return scope if instance is None or isinstance(instance, type) or scope.node is instance else None


def _dormant(tracing: Tracing, parent: Scope | None, around: Any, owner: type | None, instance: Any) -> Dormant:
    scope = Dormant(tracing, parent, owner, instance)
    scope.enter_without_span(around)
    return scope


class _ExecPhase:
    """A node's ``_exec``: no span, but it divides the visit into prep, exec and post."""

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def finish(self, result: Any) -> None:
        try:
            self._visit.exec_returned(result)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("recording the end of exec")

    def fail(self, error: BaseException) -> None:  # noqa: ARG002 - the visit records it
        try:
            self._visit.exec_raised()
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("recording the end of exec")


class _FallbackPhase:
    """A call of ``exec_fallback``: it gave the result if it returned."""

    __slots__ = ("_trial",)

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def finish(self, result: Any) -> None:  # noqa: ARG002 - _exec returns it
        self._trial.fallback = True

    def fail(self, error: BaseException) -> None:  # noqa: ARG002 - the visit records it
        self._trial.fallback = False


class _Nested:
    """Two scopes that begin and end with one call."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, inner: Scope, outer: Scope) -> None:
        self._inner = inner
        self._outer = outer

    def finish(self, result: Any) -> None:
        self._inner.finish(result)
        self._outer.finish(result)

    def fail(self, error: BaseException) -> None:
        self._inner.fail(error)
        self._outer.fail(error)
