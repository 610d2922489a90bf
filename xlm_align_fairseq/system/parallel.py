"""Work ahead on a stream, in order and with a bounded number of items under way: a thread, or several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from xlm_align_fairseq.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 3  # items a worker: one that it works on, and some that wait for it or for their turn


def prefetch(items: Iterable[Item], ahead: int = 1) -> Iterator[Item]:
    """Yield the items of a stream that another thread reads ahead of us; what it raises is raised here, in its place.

    Args:
        items: the stream; it is used by that thread alone.
        ahead: items that wait, beside one that is being made.
    """
    ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.1)
                return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    reader = threading.Thread(target=read, daemon=True, name="prefetch")
    reader.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stop.set()


def ordered_map(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], workers: int, preload: Iterable[str] = ()
) -> Iterator[Result]:
    """Yield `make()(item)` for every item, in order; no more than `IN_FLIGHT` items a worker are taken ahead.

    Args:
        make: builds the function, once in every process; can be pickled.
        items: the stream.
        workers: processes; 1 is this process alone.
        preload: modules to import once for all processes.

    Raises:
        InputError: a process was killed. What `items` and the function raise comes through.
    """
    if workers == 1:
        yield from map(make(), items)
        return
    # Not fork: libraries of this process may have threads by now, and a lock that one of them holds would never be free
    # in the copy.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(make,))
    waiting: deque[Future] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(_work, item))
            if len(waiting) >= IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(f"--workers {workers}: one was killed, perhaps for want of memory; give fewer") from error
    finally:
        pool.shutdown(cancel_futures=True)


_function: Callable[[Any], Any] | None = None  # of a worker process


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears it too, and ends us
    threading.Thread(target=_follow_parent, daemon=True).start()
    _function = make()


def _follow_parent() -> None:
    """End this process when the main one was killed; without it the wait for work would never end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(item: Any) -> Any:
    assert _function is not None
    return _function(item)
