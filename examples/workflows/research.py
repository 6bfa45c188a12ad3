"""The tools of the research agent: functions as anyone writes them."""

PAGES = {
    "population of Iceland": "Iceland has 389,000 inhabitants.",
    "area of Iceland": "Iceland covers 103,000 square kilometres.",
    "population of Norway": "Norway has 5,594,000 inhabitants.",
    "area of Norway": "Norway covers 385,000 square kilometres.",
}


def search(topic: str) -> str:
    """Looks a topic up."""
    return PAGES.get(topic, "nothing found")


def calculate(expression: str) -> float:
    """Divides."""
    dividend, divisor = expression.split(" / ")
    return round(float(dividend) / float(divisor), 2)
