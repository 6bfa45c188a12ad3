"""Map-reduce: read every incident report on its own, then add the findings up.

`ReadReports` is a BatchNode: `exec` sees one report at a time. One of the texts is no incident report, so the model
does not reply in JSON; after the second try `exec_fallback` gives a result for it, and the others are not disturbed.

Run: python examples/map_reduce.py
"""

import json

from pocketflow import BatchNode, Flow, Node

from fake_llm import ask_llm, text_of

REPORTS = {
    "monday.txt": "On Monday the checkout was down for 42 minutes because of an expired certificate. No alert came.",
    "tuesday.txt": "Search was down for 7 minutes because of a full disk. The cleaner had stopped a week before.",
    "lunch.txt": "The canteen has soup on Wednesday, and soup on Thursday.",
    "friday.txt": "At noon, payments were down for 18 minutes because of an expired certificate. It was renewed.",
    "sunday.txt": "Logins were down for 64 minutes because of a failed migration. It was rolled back.",
}


class LoadReports(Node):
    def exec(self, prep_res):
        return dict(REPORTS)

    def post(self, shared, prep_res, reports):
        shared["reports"] = reports
        print(f"{len(reports)} reports")


class ReadReports(BatchNode):
    def prep(self, shared):
        return list(shared["reports"].items())

    def exec(self, report):
        name, text = report
        response = ask_llm(f"Extract service, minutes and cause of the incident, as JSON.\n\n{text}")
        return {"report": name, **json.loads(text_of(response))}, response

    def exec_fallback(self, report, exc):
        name, _ = report
        return {"report": name, "error": f"{type(exc).__name__}: {exc}"}, None

    def post(self, shared, prep_res, results):
        for finding, _ in results:
            shared["incidents" if "cause" in finding else "unreadable"].append(finding)


class AddUp(Node):
    def prep(self, shared):
        return shared["incidents"]

    def exec(self, incidents):
        causes = {}
        for incident in incidents:
            cause = causes.setdefault(incident["cause"], {"incidents": 0, "minutes": 0, "services": []})
            cause["incidents"] += 1
            cause["minutes"] += incident["minutes"]
            cause["services"].append(incident["service"].lower())
        return dict(sorted(causes.items(), key=lambda item: -item[1]["minutes"]))

    def post(self, shared, prep_res, causes):
        shared["causes"] = causes
        shared["totals"]["incidents"] = sum(cause["incidents"] for cause in causes.values())
        shared["totals"]["minutes"] = sum(cause["minutes"] for cause in causes.values())


class WriteDigest(Node):
    def prep(self, shared):
        return shared["causes"]

    def exec(self, causes):
        facts = " ".join(
            f"{', '.join(cause['services'])} {'was' if cause['incidents'] == 1 else 'were'} down "
            f"for {cause['minutes']} minutes, cause: {name}."
            for name, cause in causes.items()
        )
        return ask_llm(f"Summarize in one sentence.\n\n{facts}")

    def post(self, shared, prep_res, response):
        shared["digest"] = text_of(response)
        for name, cause in shared["causes"].items():
            print(f"{cause['minutes']:>4} min  {name} ({', '.join(cause['services'])})")
        for finding in shared["unreadable"]:
            print(f"   unreadable: {finding['report']}")
        print(f"Digest: {shared['digest']}")


def create_flow() -> Flow:
    load = LoadReports()
    load >> ReadReports(max_retries=2, wait=0.005) >> AddUp() >> WriteDigest()
    return Flow(start=load)


def main() -> dict:
    shared = {"incidents": [], "unreadable": [], "totals": {"incidents": 0, "minutes": 0}}
    create_flow().run(shared)
    return shared


if __name__ == "__main__":
    main()
