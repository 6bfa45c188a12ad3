"""Many things at once in one event loop: products side by side, and within each product its reviews side by side.

An AsyncParallelBatchFlow runs the inner flow for every product at the same time, each run with its own `params`; in it
an AsyncParallelBatchNode has all reviews of the product classified at the same time. The shop's service drops the first
request for each product, so fetching is tried again; what the model cannot classify falls back to "unclear".

Run: python examples/async_parallel.py
"""

import asyncio

from pocketflow import AsyncFlow, AsyncNode, AsyncParallelBatchFlow, AsyncParallelBatchNode, Node

from fake_llm import call_llm_async

REVIEWS = {
    "lamp": ["Bright, and I love the switch.", "It flickers.", "Bright enough, but it came late."],
    "chair": ["Sturdy and comfortable.", "It wobbles. I returned it.", "chair", "Great for long days."],
    "fan": ["So quiet!", "Perfect for a bedroom.", "Noisy after a week."],
}
LABELS = ("positive", "mixed", "negative", "unclear")


class ReviewService:
    """A client of the shop: two requests at a time, and an unreliable one at that."""

    def __init__(self, reviews):
        self.reviews = reviews
        self.requests = dict.fromkeys(reviews, 0)
        self.slots = asyncio.Semaphore(2)

    async def fetch(self, product):
        async with self.slots:
            await asyncio.sleep(0.005)
            self.requests[product] += 1
            if self.requests[product] == 1:
                raise ConnectionError(f"connection to reviews of {product} was reset")
            return list(self.reviews[product])


class FetchReviews(AsyncNode):
    async def prep_async(self, shared):
        return shared["service"], self.params["product"]

    async def exec_async(self, inputs):
        service, product = inputs
        return await service.fetch(product)

    async def post_async(self, shared, prep_res, reviews):
        shared["products"][self.params["product"]]["reviews"] = reviews
        shared["counts"]["reviews"] += len(reviews)


class ClassifyReviews(AsyncParallelBatchNode):
    async def prep_async(self, shared):
        return shared["products"][self.params["product"]]["reviews"]

    async def exec_async(self, review):
        label = await call_llm_async(f"Classify this review as positive, mixed or negative.\n\n{review}")
        if label not in LABELS:
            raise ValueError(f"not a label: {label}")
        return label

    async def exec_fallback_async(self, review, exc):
        return "unclear"

    async def post_async(self, shared, prep_res, labels):
        shared["products"][self.params["product"]]["labels"] = labels
        for label in labels:
            shared["counts"][label] += 1


class ScoreProduct(Node):
    """A plain node: an async flow runs these too."""

    def prep(self, shared):
        return shared["products"][self.params["product"]]["labels"]

    def exec(self, labels):
        judged = [label for label in labels if label != "unclear"]
        return round(judged.count("positive") / max(len(judged), 1), 2)

    def post(self, shared, prep_res, score):
        shared["products"][self.params["product"]]["score"] = score


class EveryProduct(AsyncParallelBatchFlow):
    async def prep_async(self, shared):
        return [{"product": product} for product in shared["products"]]


class Report(Node):
    def post(self, shared, prep_res, exec_res):
        ranking = sorted(shared["products"].items(), key=lambda item: (-item[1]["score"], item[0]))
        shared["ranking"] = [product for product, _ in ranking]
        for product, findings in ranking:
            print(f"{product}: {findings['score']:.0%} positive ({', '.join(findings['labels'])})")
        print(", ".join(f"{count} {name}" for name, count in shared["counts"].items()))


def create_flow() -> AsyncFlow:
    fetch = FetchReviews(max_retries=3, wait=0.005)
    fetch >> ClassifyReviews(max_retries=2) >> ScoreProduct()
    products = EveryProduct(start=fetch)
    products >> Report()
    return AsyncFlow(start=products)


def main() -> dict:
    shared = {
        "service": ReviewService(REVIEWS),
        "products": {product: {} for product in REVIEWS},
        "counts": dict.fromkeys(("reviews", *LABELS), 0),
    }
    asyncio.run(create_flow().run_async(shared))
    return shared


if __name__ == "__main__":
    main()
