"""A web service that answers at once and does the work afterwards: a flow in a FastAPI background task.

POST /jobs puts a job in the queue and replies with its id; the flow runs when that reply is already on its way; GET
/jobs/{id} tells how far it is. `main` starts the service on a free port of this machine, orders two articles, waits for
them and stops the service.

Run: python examples/fastapi_background.py
"""

import socket
import threading
import time
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI, HTTPException
from pocketflow import BatchNode, Flow, Node
from pydantic import BaseModel

from fake_llm import call_llm


class Outline(Node):
    def prep(self, shared):
        return shared["topic"]

    def exec(self, topic):
        return call_llm(f"Outline an article about {topic}.").splitlines()

    def post(self, shared, prep_res, headings):
        shared["headings"] = headings
        shared["history"].append("outlined")


class WriteSections(BatchNode):
    def prep(self, shared):
        return shared["headings"]

    def exec(self, heading):
        return call_llm(f'Write a paragraph under the heading "{heading}"')

    def post(self, shared, headings, paragraphs):
        shared["sections"].update(zip(headings, paragraphs, strict=True))
        shared["history"].append(f"wrote {len(paragraphs)} sections")


class Assemble(Node):
    def prep(self, shared):
        return shared["sections"]

    def exec(self, sections):
        return "\n".join(sections.values())

    def post(self, shared, prep_res, article):
        shared["article"] = article
        shared["history"].append("assembled")


def create_flow() -> Flow:
    outline = Outline(max_retries=2)
    outline >> WriteSections(max_retries=2) >> Assemble()
    return Flow(start=outline)


def run_job(shared):
    shared["status"] = "running"
    outcome = "failed"
    try:
        create_flow().run(shared)
        outcome = "done"
    finally:
        shared["status"] = outcome


class Order(BaseModel):
    topic: str


def create_app(jobs: dict) -> FastAPI:
    app = FastAPI()

    # `async`, so that requests are handled on one thread and no two jobs get the same id.
    @app.post("/jobs", status_code=202)
    async def create_job(order: Order, background_tasks: BackgroundTasks):
        job_id = f"job-{len(jobs) + 1}"
        jobs[job_id] = {"topic": order.topic, "status": "queued", "history": [], "sections": {}}
        # A plain function: FastAPI runs it on a worker thread, so the event loop stays free for other requests.
        background_tasks.add_task(run_job, jobs[job_id])
        return {"job_id": job_id}

    @app.get("/jobs/{job_id}")
    async def get_job(job_id: str):
        if job_id not in jobs:
            raise HTTPException(404, "no such job")
        return {"status": jobs[job_id]["status"], "article": jobs[job_id].get("article")}

    return app


@contextmanager
def serve(app: FastAPI):
    """Serves the app on a free loopback port while the block runs, and gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def wait_for(client, job_id):
    while True:
        job = client.get(f"/jobs/{job_id}").raise_for_status().json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.01)


def main() -> dict:
    jobs = {}
    # `trust_env=False`: a proxy of the environment could not reach this machine's loopback address.
    with serve(create_app(jobs)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        replies = [client.post("/jobs", json={"topic": topic}) for topic in ("tracing", "caching")]
        job_ids = [reply.raise_for_status().json()["job_id"] for reply in replies]
        for job_id in job_ids:
            job = wait_for(client, job_id)
            print(f"{job_id}: {job['status']}\n{job['article']}")
    return jobs


if __name__ == "__main__":
    main()
