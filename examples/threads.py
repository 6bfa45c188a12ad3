"""Threads outside and inside a flow: one flow for several companies at once, and a node that loads pages at once.

`main` runs the same flow object on a pool of threads. That is safe because each run has a store of its own and
PocketFlow copies a node before each visit. `LoadPages` uses a pool inside `exec`. Nothing is printed before all runs
have ended, so the output keeps its order.

Run: python examples/threads.py
"""

import time
from concurrent.futures import ThreadPoolExecutor

from pocketflow import Flow, Node

from fake_llm import ask_llm, text_of

SITE = {
    "acorn/about": "Acorn makes batteries. Acorn batteries store power from the wind.",
    "acorn/news": "Acorn opens a plant for batteries in May. The plant needs sixty people.",
    "acorn/jobs": "Electrician. Welder. Welder. Planner.",
    "birch/about": "Birch rents bicycles by the hour. Most bicycles stand at stations of the railway.",
    "birch/news": "Birch buys four thousand bicycles. They come without chains.",
    "birch/jobs": "Mechanic. Driver.",
    "cedar/about": "Cedar prints maps on cloth. Hikers fold the maps and wash them.",
    "cedar/news": "Cedar maps now show every spring. Hikers had asked for springs for years.",
    "cedar/jobs": "Cartographer. Printer. Clerk.",
}
SECTIONS = ("about", "news", "jobs")


def load_page(path):
    time.sleep(0.003)
    return SITE[path]


class LoadPages(Node):
    def prep(self, shared):
        return shared["company"]

    def exec(self, company):
        paths = [f"{company}/{section}" for section in SECTIONS]
        with ThreadPoolExecutor(max_workers=len(paths)) as pool:
            return dict(zip(SECTIONS, pool.map(load_page, paths), strict=True))

    def post(self, shared, prep_res, pages):
        shared["pages"].update(pages)
        shared["counts"]["pages"] += len(pages)


class CountJobs(Node):
    def prep(self, shared):
        return shared["pages"]["jobs"]

    def exec(self, text):
        return [title.strip() for title in text.split(".") if title.strip()]

    def post(self, shared, prep_res, titles):
        shared["jobs"] = titles
        shared["counts"]["jobs"] += len(titles)
        return "hiring" if len(titles) > 2 else "quiet"


class SummarizeNews(Node):
    def prep(self, shared):
        return shared["pages"]["news"]

    def exec(self, text):
        return ask_llm(f"Summarize in one sentence.\n\n{text}")

    def post(self, shared, prep_res, response):
        shared["brief"].append(text_of(response))


class SummarizeAll(SummarizeNews):
    def prep(self, shared):
        return f"{shared['pages']['about']} {shared['pages']['news']}"


class Finish(Node):
    def post(self, shared, prep_res, exec_res):
        shared["brief"].append(f"Open positions: {len(shared['jobs'])}.")


def create_flow() -> Flow:
    load, count, finish = LoadPages(), CountJobs(), Finish()
    load >> count
    count - "hiring" >> SummarizeNews(max_retries=2) >> finish
    count - "quiet" >> SummarizeAll(max_retries=2) >> finish
    return Flow(start=load)


def new_store(company) -> dict:
    return {"company": company, "pages": {}, "brief": [], "counts": {"pages": 0, "jobs": 0}}


def main() -> dict:
    stores = {company: new_store(company) for company in ("acorn", "birch", "cedar")}
    flow = create_flow()
    with ThreadPoolExecutor(max_workers=3) as pool:
        runs = [pool.submit(flow.run, shared) for shared in stores.values()]
    for run in runs:
        run.result()  # raises here what the run raised on its thread
    for company, shared in stores.items():
        print(f"{company}: {' '.join(shared['brief'])}")
    return stores


if __name__ == "__main__":
    main()
