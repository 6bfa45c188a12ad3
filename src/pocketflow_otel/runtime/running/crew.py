"""Hands steps that are ready to threads that can run them: the greatest priority first, and so many at once at most."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.steps import Step


_FIRST: Final = -math.inf


class Post:
    """Where a thread waits for something to do.

    Args:
        frame: Of the thread that runs a frame: it takes no other frame's steps, which might keep it from its own.
        in_loop: Of the event loop's thread: it takes only steps that go on there, and never waits.
        stays_free: Whether it takes nothing that might keep it: a node's code, which the frame may have to give up.
    """

    __slots__ = ("_bell", "_frame", "_in_loop", "_stays_free", "is_waiting", "step")

    def __init__(self, frame: Frame | None = None, *, in_loop: bool = False, stays_free: bool = False) -> None:
        self._frame = frame
        self._in_loop = in_loop
        self._stays_free = stays_free
        self.step: Step | None = None
        self.is_waiting = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def takes(self, step: Step) -> bool:
        """Whether the thread does such a step."""
        if self._in_loop:
            return step.planned.is_async
        if self._stays_free and not (step.planned.is_holder or step.takes_back):
            return False
        return self._frame in (None, step.frame)

    def ring(self) -> None:
        """Wakes the thread."""
        self.is_waiting = False
        self._bell.release()

    def wait(self) -> Step | None:
        """Waits for the bell; gives the step that there is to do."""
        self._bell.acquire()
        return self.taken()

    def taken(self) -> Step | None:
        """Takes out the step that there is to do."""
        step, self.step = self.step, None
        return step


class Crew:
    """The threads of a run. All methods but `work` and `go_on_in_loop` are called with the lock held.

    Args:
        parallel: How many nodes may run at once, those that hold nodes not counted.
        leaves_loop_free: Whether the event loop's thread begins no steps.

    Attributes:
        lock: Guards all that a run's threads share.
    """

    def __init__(self, parallel: int, *, leaves_loop_free: bool = False) -> None:
        # Whoever listens to events may ask for something that needs it.
        self.lock = threading.RLock()
        self.parallel = parallel
        self._free = parallel
        self._ready: list[tuple[float, int, int, Step]] = []
        self._numbers = itertools.count(1)
        self._idle: list[Post] = []
        self._closed = False
        self._in_loop = None if leaves_loop_free else Post(in_loop=True)

    def widen(self, parallel: int) -> None:
        """Lets more run at once from now on."""
        self._free += parallel - self.parallel
        self.parallel = parallel
        self.assign()

    def next_number(self) -> int:
        """A number that is greater than those before."""
        return next(self._numbers)

    def offer(self, step: Step) -> None:
        """Puts a step among those that are ready."""
        planned = step.planned
        # What takes over for a node goes on with that node's work, which was begun before.
        priority = _FIRST if step.role == "handler" else -planned.node.priority
        heapq.heappush(self._ready, (priority, planned.order, next(self._numbers), step))

    def release(self, step: Step) -> None:
        """Takes note that a step is over."""
        if not step.planned.is_holder:
            self._free += 1
            return
        step.frame.holders -= 1
        if step.frame.held_back:
            self.offer(step.frame.held_back.pop(0))

    def _has_room(self, step: Step) -> bool:
        """Takes the room that a step needs, if there is any: those that hold nodes have room of their own."""
        if not step.planned.is_holder:
            taken = self._free > 0
            self._free -= taken
            return taken
        taken = step.frame.holders < self.parallel
        step.frame.holders += taken
        return taken

    def assign(self, me: Post | None = None) -> Step | None:
        """Hands out what can be done: one step to the thread that asks, the others to others.

        Args:
            me: Where the thread that asks would wait; None if it wants nothing itself.

        Returns:
            What it is to do.
        """
        mine: Step | None = None
        while self._ready:
            step = self._ready[0][-1]
            if step.is_pointless:
                heapq.heappop(self._ready)
                continue
            if not self._has_room(step):
                if not step.planned.is_holder:
                    break
                heapq.heappop(self._ready)
                step.frame.held_back.append(step)
                continue
            heapq.heappop(self._ready)
            step.frame.running.add(step)
            wants = me is not None and mine is None
            if me is not None and wants and me.takes(step):
                mine = step
            elif self._hand_over(step):
                continue
            elif wants:
                mine = step
            else:
                self._take_back(step)
                break
        return mine

    def _take_back(self, step: Step) -> None:
        """Keeps a step that nobody can do now: whoever has done something looks for more."""
        step.frame.running.discard(step)
        self.offer(step)
        if step.planned.is_holder:
            step.frame.holders -= 1
        else:
            self._free += 1

    def _hand_over(self, step: Step) -> bool:
        """Hands a step to a thread that does nothing, or to a new one; False where the system gives none."""
        post: Any = step.frame.post
        if post is None or not post.is_waiting or not post.takes(step):
            post = self._idle.pop() if self._idle else None
        if post is None:
            post = Post()
            post.step = step
            try:
                threading.Thread(target=self.work, args=(post,), name="pocketflow-node", daemon=True).start()
            except RuntimeError:
                post = step.frame.post
                if post is None or not post.is_waiting:
                    return False
            else:
                return True
        post.step = step
        post.ring()
        return True

    def work(self, post: Post) -> None:
        """What a thread of the crew does: the step that is in its post, and others for as long as there are any."""
        # The thread keeps what it was begun with: a step would be kept with all that it gave.
        step = post.taken()
        while True:
            if step is not None:
                step.run()
            with self.lock:
                step = self.assign(post)
                if step is None:
                    if self._closed:
                        return
                    post.is_waiting = True
                    self._idle.append(post)
            if step is None:
                step = post.wait()
                if step is None:
                    return

    def go_on_in_loop(self) -> None:
        """Begins what can be begun, as a step is over in the event loop's thread. The lock is not held."""
        while True:
            with self.lock:
                step = self.assign(self._in_loop)
            if step is None:
                return
            step.run()

    def close(self) -> None:
        """Sends all threads home that have nothing to do."""
        self._closed = True
        while self._idle:
            self._idle.pop().ring()
