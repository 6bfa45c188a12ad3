"""Programs that fork: each process exports what it began, once, below the right parents, and none of them hangs."""

from collections import Counter

import pytest

from instrumentation.forking import run_forking

PROCESSORS = ("simple", "batch")
PHASES = ("prep", "exec", "post")
FLOW, NODE, NEXT, ATTEMPT = "invoke_workflow Flow", "invoke_node Forks", "invoke_node Next", "attempt"


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_child_that_only_leaves_exports_nothing(phase, processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        f"""
        class Forks(Node):
            def {phase}(self, *_):
                child = os.fork()
                if not child:
                    leave()
                wait_for(child)
                print("parent")

        Flow(Forks()).run({{}})
        """,
    )
    assert forked.paths(of_parent=False) == {}
    assert forked.paths(of_parent=True) == {(FLOW,): 1, (FLOW, NODE): 1}
    assert forked.one(NODE).attributes["pocketflow.stdout"] == "parent\n"


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_child_that_goes_on_exports_what_it_began(phase, processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        f"""
        class Forks(Node):
            def {phase}(self, *_):
                self.successors["default"].child = os.fork()

        class Next(Node):
            def post(self, shared, prepared, result):
                shared["by"] = os.getpid()
                print("parent" if self.child else "child")
                if self.child:
                    wait_for(self.child)

        node = Forks(max_retries=2)
        node >> Next()
        Flow(node).run({{}})
        if node.successors["default"].child == 0:
            leave()
        """,
    )
    visited = {(FLOW, NODE, ATTEMPT): 1, (FLOW, NODE): 1, (FLOW, NEXT): 1, (FLOW,): 1}
    assert forked.paths(of_parent=True) == visited
    begun_in_child = {(FLOW, NEXT): 1} | ({(FLOW, NODE, ATTEMPT): 1} if phase == "prep" else {})
    assert forked.paths(of_parent=False) == begun_in_child
    assert len({span.trace for span in forked.spans}) == 1
    for span in forked.named(NEXT):
        assert span.attributes["pocketflow.stdout"] == ("parent\n" if span.pid == forked.parent else "child\n")
        assert span.attributes["pocketflow.store.added"] == ["by"]
        assert span.attributes["pocketflow.node.visit"] == 1
        assert "pocketflow.store.attribution" not in span.attributes


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_flow_of_a_child_hangs_below_the_node_that_forked(processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        """
        class Inner(Node):
            def post(self, shared, prepared, result):
                shared["pid"] = os.getpid()
                print("inner")

        class Forks(Node):
            def exec(self, prepared):
                children = []
                for _ in range(3):
                    child = os.fork()
                    if not child:
                        Flow(Inner()).run({})
                        leave()
                    children.append(child)
                wait_for(*children)
                Flow(Inner()).run({})

        Flow(Forks()).run({})
        """,
    )
    inner = (FLOW, NODE, FLOW)
    assert forked.paths(of_parent=False) == {inner: 3, (*inner, "invoke_node Inner"): 3}
    assert forked.paths(of_parent=True) == {(FLOW,): 1, (FLOW, NODE): 1, inner: 1, (*inner, "invoke_node Inner"): 1}
    assert "pocketflow.stdout" not in forked.one(NODE).attributes


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_child_that_raises_and_one_that_exits(processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        """
        class Forks(Node):
            def exec(self, prepared):
                shared = {}
                for error in (ValueError, SystemExit):
                    child = os.fork()
                    if not child:
                        raise error()
                    wait_for(child)

        try:
            Flow(Forks()).run({})
        except (ValueError, SystemExit):
            leave()
        """,
    )
    assert forked.paths(of_parent=False) == {}
    assert forked.paths(of_parent=True) == {(FLOW,): 1, (FLOW, NODE): 1}
    assert "error.type" not in forked.one(NODE).attributes


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_pool_of_forked_workers(processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        """
        class Work(Node):
            def post(self, shared, prepared, result):
                print(shared["number"])

        def work(number):
            Flow(Work()).run({"number": number})
            provider.force_flush()
            return number * 2

        class Forks(Node):
            def exec(self, prepared):
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    return pool.map(work, range(8), chunksize=1)

            def post(self, shared, prepared, result):
                assert result == [number * 2 for number in range(8)]

        Flow(Forks()).run({})
        """,
    )
    work = (FLOW, NODE, FLOW, "invoke_node Work")
    assert forked.paths(of_parent=False) == {work[:-1]: 8, work: 8}
    assert forked.paths(of_parent=True) == {(FLOW,): 1, (FLOW, NODE): 1}
    texts = sorted(span.attributes["pocketflow.stdout"] for span in forked.named("invoke_node Work"))
    assert texts == [f"{number}\n" for number in range(8)]
    assert "pocketflow.stdout" not in forked.one(NODE).attributes


@pytest.mark.parametrize("processor", PROCESSORS)
def test_workers_forked_before_they_serve(processor, tmp_path):
    forked = run_forking(
        tmp_path,
        processor,
        """
        class Master(Node): ...

        class Serve(Node):
            def post(self, shared, prepared, result):
                print(shared["request"])

        Flow(Master()).run({})
        workers = []
        for _ in range(3):
            worker = os.fork()
            if not worker:
                for request in range(5):
                    Flow(Serve()).run({"request": request})
                provider.shutdown()
                leave()
            workers.append(worker)
        wait_for(*workers)
        Flow(Master()).run({})
        """,
    )
    assert forked.paths(of_parent=True) == {(FLOW,): 2, (FLOW, "invoke_node Master"): 2}
    assert forked.paths(of_parent=False) == {(FLOW,): 15, (FLOW, "invoke_node Serve"): 15}
    assert len({span.trace for span in forked.spans}) == 17
    served = Counter((span.pid, span.attributes["pocketflow.stdout"]) for span in forked.named("invoke_node Serve"))
    assert set(served.values()) == {1}


_WHILE_THREADS_RUN = """
    class Busy(Node):
        def post(self, shared, prepared, result):
            print("busy")
            shared[threading.get_ident()] = [1]
            shared["password"] = f"secret-{{os.urandom(8).hex()}}"

    class Child(Node):
        def post(self, shared, prepared, result):
            print("child")
            shared["child"] = 1
            shared["token"] = os.urandom(8).hex()

    store, stop = {{}}, threading.Event()

    def keep_busy():
        while not stop.is_set():
            Flow(Busy()).run(store)

    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=keep_busy, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range({forks}):
        child = os.fork()
        if not child:
            signal.alarm(20)
            Flow(Child()).run(store)
            leave()
        wait_for(child)
    stop.set()
    for thread in threads:
        thread.join()
"""


def check_forks_while_threads_run(forks, tmp_path):
    forked = run_forking(tmp_path, "batch", _WHILE_THREADS_RUN.format(forks=forks))
    assert forked.paths(of_parent=False) == {(FLOW,): forks, (FLOW, "invoke_node Child"): forks}
    for span in forked.named("invoke_node Child"):
        assert span.attributes["pocketflow.stdout"] == "child\n"
        assert span.attributes["pocketflow.store.added"] == ["child", "token"]
        assert "pocketflow.store.attribution" not in span.attributes


def test_forks_while_threads_run_flows(tmp_path):
    check_forks_while_threads_run(20, tmp_path)


@pytest.mark.slow
def test_many_forks_while_threads_run_flows(tmp_path):
    check_forks_while_threads_run(300, tmp_path)
